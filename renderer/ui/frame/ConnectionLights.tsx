import { Popover } from '@mantine/core';
import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import type { Freshness } from '../../state/freshness.ts';
import { useNavigate } from '../../state/navigation.ts';
import { StatusMark, StatusShape } from '../StatusMark.tsx';
import { type Connection, connections } from './connections-model.ts';

const GOAL = { database: 'diagnostics', iconik: 'diagnostics', storages: 'storages' } as const;

function Light({ connection: { id, label, status, word, details } }: { connection: Connection }) {
  const navigate = useNavigate();
  return (
    <Popover width={360} position="bottom-end" trapFocus returnFocus>
      <Popover.Target>
        <button type="button" className="isg-light" data-testid={`light-${id}`} data-status={status}>
          <StatusShape status={status} size={14} />
          {label}
          <span className="isg-visually-hidden">: {word}</span>
        </button>
      </Popover.Target>
      <Popover.Dropdown aria-label={`${label} health`}>
        <div className="isg-light-details">
          {details.length === 0 ? <p className="isg-dim">This node serves no storage yet.</p> : null}
          {details.map((detail) => (
            <div key={detail.name}>
              <div className="isg-row">
                <b className="isg-truncate">{detail.name}</b>
                <span className="isg-spacer" />
                <StatusMark status={detail.status} />
              </div>
              {detail.reason ? <div>{detail.reason}</div> : null}
              {detail.remedy ? <div className="isg-dim">{detail.remedy}</div> : null}
            </div>
          ))}
          <button type="button" className="isg-link" onClick={() => navigate(GOAL[id])}>
            Open {GOAL[id]}
          </button>
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

/** Database, iconik and storages: shape and word; a click opens the health behind it. */
export function ConnectionLights({ snapshot, fresh }: { snapshot: NodeSnapshot | null; fresh: Freshness }) {
  return (
    <div className="isg-lights">
      {connections(snapshot, fresh).map((connection) => (
        <Light key={connection.id} connection={connection} />
      ))}
    </div>
  );
}
