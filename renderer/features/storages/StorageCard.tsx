import { Tabs } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import type { StorageState } from '../../../agent/contract/index.ts';
import { CopyText } from '../../ui/CopyText.tsx';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { formatCount } from '../../ui/format.ts';
import { LogView } from '../../ui/logs/LogView.tsx';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { StateBar } from './StateBar.tsx';
import { StorageCounters } from './StorageCounters.tsx';
import { StorageProblems } from './StorageProblems.tsx';
import { StorageSettings } from './StorageSettings.tsx';
import { StorageVerification } from './StorageVerification.tsx';
import { problemCount, scanDuration, scanProgress } from './storage-words.ts';
import './storages.css';

function LastScan({ storage }: { storage: StorageState }) {
  if (!storage.scans) return <span className="isg-dim">Not scanned: scanning is off in iconik</span>;
  if (storage.scanning !== null) return <span className="isg-dim">{scanProgress(storage.scanning)}</span>;
  if (storage.lastScanEndedMs === null) return <span className="isg-dim">Not scanned yet</span>;
  return (
    <span>
      <span className="isg-dim">Last scan</span> <RelativeTime atMs={storage.lastScanEndedMs} />
      {storage.lastScanSeconds === null ? null : (
        <span className="isg-dim">, took {scanDuration(storage.lastScanSeconds)}</span>
      )}
    </span>
  );
}

function Troubles({ storage, isLive }: { storage: StorageState; isLive: boolean }) {
  const { health, problem } = storage;
  return (
    <>
      {isLive && health.status !== 'ok' && health.reason !== '' ? (
        <ErrorNotice status={health.status} cause={health.reason} remedy={health.remedy} />
      ) : null}
      {problem !== null && problem !== health.reason ? (
        <ErrorNotice
          status="warning"
          cause={problem}
          consequence="The last scan is incomplete: what it did not see keeps its state."
        />
      ) : null}
    </>
  );
}

/** Kept free above a card that is brought into view. */
const MARGIN_PX = 16;

/** One storage: health, files by state, counters; problem files, settings and log lines unfold below. */
export function StorageCard({
  storage,
  isLive,
  canRead,
  initialTab,
  isWanted,
}: {
  storage: StorageState;
  /** Whether its health may be believed now. */
  isLive: boolean;
  /** Whether the agent answers. */
  canRead: boolean;
  initialTab: string | null;
  /** Whether another screen asked for this storage: it is brought into view. */
  isWanted: boolean;
}) {
  const [tab, setTab] = useState(initialTab);
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    const screen = card.current?.closest('main');
    // Not scrollIntoView: that would move the frame around the screen, too.
    if (isWanted && card.current) screen?.scrollTo({ top: card.current.offsetTop - screen.offsetTop - MARGIN_PX });
  }, [isWanted]);
  const problems = problemCount(storage);
  return (
    <section ref={card} className="isg-storage-card" aria-label={storage.name} data-testid="storage-card">
      <div className="isg-storage-head">
        <h2>{storage.name}</h2>
        <StatusMark status={isLive ? storage.health.status : 'unknown'} label={isLive ? undefined : 'Unknown now'} />
        <span className="isg-storage-mount">
          <CopyText text={storage.mountPoint} label="mount point" />
        </span>
        <span className="isg-spacer" />
        <LastScan storage={storage} />
      </div>
      <div className="isg-storage-body">
        <Troubles storage={storage} isLive={isLive} />
        <StateBar storage={storage} />
        <StorageCounters storage={storage} />
      </div>
      <Tabs value={tab} onChange={setTab} allowTabDeactivation keepMounted={false} className="isg-storage-tabs">
        <Tabs.List>
          <Tabs.Tab value="problems">
            Problem files{problems === 0 ? '' : <span className="isg-storage-badge">{formatCount(problems)}</span>}
          </Tabs.Tab>
          <Tabs.Tab value="settings">Settings</Tabs.Tab>
          <Tabs.Tab value="verification">Verification</Tabs.Tab>
          <Tabs.Tab value="logs">Logs</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="problems" className="isg-storage-panel">
          <StorageProblems storage={storage} canRead={canRead} />
        </Tabs.Panel>
        <Tabs.Panel value="settings" className="isg-storage-panel">
          <StorageSettings storage={storage} />
        </Tabs.Panel>
        <Tabs.Panel value="verification" className="isg-storage-panel">
          <StorageVerification storage={storage} canRead={canRead} />
        </Tabs.Panel>
        <Tabs.Panel value="logs" className="isg-storage-panel isg-storage-logs">
          <LogView storageId={storage.id} label={`Log lines of ${storage.name}`} lowestLevel="debug" />
        </Tabs.Panel>
      </Tabs>
    </section>
  );
}
