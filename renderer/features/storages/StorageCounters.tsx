import { Tooltip } from '@mantine/core';
import type { StorageState } from '../../../agent/contract/index.ts';
import { formatCount } from '../../ui/format.ts';
import { StatusShape } from '../../ui/StatusMark.tsx';
import { counters } from './storage-words.ts';
import './storages.css';

/** The counters of the storage's report, with their meaning on hover. */
export function StorageCounters({ storage }: { storage: StorageState }) {
  return (
    <dl className="isg-counters" data-testid="storage-counters">
      {counters(storage).map(({ key, label, count, meaning, tone }) => (
        <Tooltip key={key} label={meaning}>
          <div className="isg-counter" data-counter={key}>
            <dt>{label}</dt>
            <dd>
              {tone === 'attention' ? <StatusShape status="warning" size={14} /> : null}
              {formatCount(count)}
            </dd>
          </div>
        </Tooltip>
      ))}
    </dl>
  );
}
