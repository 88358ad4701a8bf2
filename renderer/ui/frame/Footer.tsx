import type { AppState } from '../../../preload/contract/app-state.ts';
import { type Freshness, isBelievable } from '../../state/freshness.ts';
import { useNow } from '../../state/use-now.ts';
import { CopyText } from '../CopyText.tsx';
import { formatAbsolute, formatDuration, formatDurationExact } from '../format.ts';
import { RelativeTime } from '../RelativeTime.tsx';

const NOT_UP: Partial<Record<AppState['agent']['state'], string>> = {
  starting: 'Starting',
  stopping: 'Stopping',
  unresponsive: 'Not answering',
};

/** Version, gateway id, uptime, last contact with iconik, and how old all this is when it is not fresh. */
export function Footer({ state, fresh }: { state: AppState; fresh: Freshness }) {
  const nowMs = useNow();
  const node = state.snapshot?.node;
  const ageMs = fresh.kind === 'old' || fresh.kind === 'down' ? fresh.ageMs : null;
  return (
    <footer className="isg-footer">
      <span>
        Version {state.appVersion}
        {state.updateReady === null ? null : ` · ${state.updateReady} is ready to install`}
        {state.update.state === 'downloading'
          ? ` · fetching ${state.update.version} (${state.update.percent} %)`
          : null}
      </span>
      {node ? (
        <>
          <CopyText text={node.storageGatewayId} label="storage gateway id" />
          {isBelievable(fresh) ? (
            <span title={`Started ${formatAbsolute(node.startedMs)}`}>
              Up {formatDurationExact(nowMs - node.startedMs)}
            </span>
          ) : (
            <span>{NOT_UP[state.agent.state] ?? 'Not running'}</span>
          )}
          <span>
            iconik contact <RelativeTime atMs={node.iconikContactMs} never="none yet" />
          </span>
        </>
      ) : null}
      <span className="isg-spacer" />
      {ageMs === null ? null : <span className="isg-footer-age">Data are {formatDuration(ageMs)} old</span>}
    </footer>
  );
}
