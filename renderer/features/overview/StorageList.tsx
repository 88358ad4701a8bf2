import type { StorageState } from '../../../agent/contract/index.ts';
import { useNavigate } from '../../state/navigation.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { formatCount } from '../../ui/format.ts';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { type Status, StatusMark, StatusShape } from '../../ui/StatusMark.tsx';
import { storageBar } from './storage-bar.ts';

function StorageRow({ storage, isLive }: { storage: StorageState; isLive: boolean }) {
  const navigate = useNavigate();
  const { health, problem } = storage;
  const segments = storageBar(storage.files);
  const status: Status = !isLive ? 'unknown' : health.status === 'ok' && problem !== null ? 'warning' : health.status;
  const trouble = health.reason || problem;
  return (
    <li className="isg-storage-row">
      <div className="isg-row">
        <StatusShape status={status} size={14} />
        <span className="isg-visually-hidden">{isLive ? status : 'unknown'}</span>
        <button
          type="button"
          className="isg-link isg-truncate"
          onClick={() => navigate('storages', { storage: storage.id })}
        >
          {storage.name}
        </button>
        <span className="isg-spacer" />
        <span className="isg-dim isg-small isg-nowrap">
          {!storage.scans ? (
            'scanning is off'
          ) : storage.lastScanEndedMs === null ? (
            'not scanned yet'
          ) : (
            <>
              scanned <RelativeTime atMs={storage.lastScanEndedMs} />
            </>
          )}
        </span>
      </div>
      <div className="isg-bar" aria-hidden>
        {segments.map(({ kind, share }) => (
          <span key={kind} className={`isg-bar-part isg-bar-${kind}`} style={{ flexGrow: share }} />
        ))}
      </div>
      <div className="isg-bar-words">
        {segments.length === 0 ? (
          <span className="isg-dim">
            No files found yet in <span className="isg-mono">{storage.mountPoint}</span>
          </span>
        ) : null}
        {segments.map(({ kind, files }) => (
          <span key={kind}>
            <i className={`isg-bar-key isg-bar-${kind}`} aria-hidden />
            {formatCount(files)} {kind}
          </span>
        ))}
      </div>
      {trouble && isLive ? <div className="isg-small">{trouble}</div> : null}
      {isLive ? null : <StatusMark status="unknown" label="Not known now" size={14} />}
    </li>
  );
}

/** Each storage as one bar of its files' states, with the counts in words below. */
export function StorageList({ storages, isLive }: { storages: readonly StorageState[]; isLive: boolean }) {
  if (storages.length === 0) {
    return (
      <EmptyState title="No storage yet">
        This gateway serves no storage. Give it one in iconik, with the mount point on this machine.
      </EmptyState>
    );
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling list must be reachable by keyboard.
    <ul className="isg-scroll-list" tabIndex={0} aria-label="Storages">
      {storages.map((storage) => (
        <StorageRow key={storage.id} storage={storage} isLive={isLive} />
      ))}
    </ul>
  );
}
