import { Button } from '@mantine/core';
import { useMemo, useRef, useState } from 'react';
import type { JobRow } from '../../../agent/contract/index.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { useRoute } from '../../state/navigation.ts';
import type { RouteParams } from '../../state/route.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { useNow } from '../../state/use-now.ts';
import { agentAbsence } from '../../ui/agent-words.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { plural } from '../../ui/format.ts';
import { ScreenHeader } from '../../ui/ScreenHeader.tsx';
import { SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { JobFilters } from './JobFilters.tsx';
import { JobPanel } from './JobPanel.tsx';
import { JobTable } from './JobTable.tsx';
import { ALL_JOBS, filterFromRoute, isNarrowed, type JobFilter } from './job-filter.ts';
import { type JobList, MOST_SCROLLABLE_ROWS } from './job-list.ts';
import type { JobReaderState } from './job-reader.ts';
import { jobsSentence } from './job-words.ts';
import { useJobReader } from './use-job-reader.ts';
import './jobs.css';

function countSentence({ list }: JobReaderState): string {
  if (list.total === null) return '';
  const capped =
    list.total > MOST_SCROLLABLE_ROWS
      ? ` The table ends at ${plural(MOST_SCROLLABLE_ROWS, 'row')}; narrow it to see the rest.`
      : '';
  return `${plural(list.total, 'job')}${capped}`;
}

function Placeholder({ state, isDown, onClear }: { state: JobReaderState; isDown: boolean; onClear: () => void }) {
  if (isDown) {
    return <EmptyState title="Jobs cannot be listed now">They are listed as soon as the agent answers.</EmptyState>;
  }
  if (state.error !== null) {
    return (
      <div className="isg-job-error">
        <ErrorNotice
          cause={state.error}
          consequence="The jobs cannot be listed now."
          remedy="It is tried again every 2 s."
          isLive
        />
      </div>
    );
  }
  if (state.isOutdated) return <SkeletonRows rows={10} height={44} label="Reading jobs" />;
  if (!isNarrowed(state.filter)) {
    return (
      <EmptyState title="No jobs yet">
        Jobs appear when a scan finds files, or when iconik orders a transfer or a transcode.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      title="No job matches these filters"
      action={
        <Button variant="default" onClick={onClear}>
          Clear filters
        </Button>
      }
    />
  );
}

/** The selected job as last known: it stays in the panel when it leaves the list. */
function useSelectedJob(list: JobList, jobId: string | null): JobRow | null {
  const last = useRef<JobRow | null>(null);
  const found = useMemo(
    () => (jobId === null ? undefined : list.rows.find((row) => row.jobId === jobId)),
    [list.rows, jobId],
  );
  if (found) last.current = found;
  return jobId !== null && last.current?.jobId === jobId ? last.current : null;
}

function useStorageNames(app: AppState | null) {
  const storages = app?.snapshot?.storages;
  return useMemo(() => {
    const names = new Map(storages?.map(({ id, name }) => [id, name]));
    return (storageId: string | null) => (storageId === null ? '' : (names.get(storageId) ?? storageId));
  }, [storages]);
}

function JobsBody({ params }: { params: RouteParams }) {
  const app = useAppState();
  const nowMs = useNow();
  const [filter, setFilter] = useState<JobFilter>(() => filterFromRoute(params));
  const isDown = app?.agent.state !== 'running';
  const { reader, state } = useJobReader(filter, isDown);
  const [selectedJobId, setSelectedJobId] = useState<string | null>(null);
  const [focusTurn, setFocusTurn] = useState(0);
  const table = useRef<HTMLDivElement>(null);
  const job = useSelectedJob(state.list, selectedJobId);
  const storageName = useStorageNames(app);
  const [change] = useState(() => (part: Partial<JobFilter>) => setFilter((last) => ({ ...last, ...part })));
  const closePanel = () => {
    setSelectedJobId(null);
    setFocusTurn(0);
    table.current?.querySelector<HTMLElement>('[role="grid"]')?.focus({ preventScroll: true });
  };
  const snapshot = app?.snapshot ?? null;
  const absence = agentAbsence(app?.agent.state);
  const sentence =
    absence !== null || !snapshot
      ? `${absence ?? 'The agent is starting'}; the queue is kept.`
      : jobsSentence(snapshot, nowMs);
  return (
    <div className="isg-fill isg-jobs">
      <ScreenHeader sentence={sentence} />
      <JobFilters
        filter={filter}
        onChange={change}
        storages={snapshot?.storages.map(({ id, name }) => ({ value: id, label: name })) ?? []}
        nodes={[...new Set(snapshot?.cluster.members.map(({ name }) => name))]}
      />
      <div className="isg-job-area" ref={table}>
        <JobTable
          reader={reader}
          state={state}
          selectedJobId={selectedJobId}
          onSelect={setSelectedJobId}
          onOpen={(jobId) => {
            setSelectedJobId(jobId);
            setFocusTurn((turn) => turn + 1);
          }}
          onEscape={closePanel}
          storageName={storageName}
          placeholder={<Placeholder state={state} isDown={isDown} onClear={() => setFilter(ALL_JOBS)} />}
        />
        {job ? (
          <JobPanel
            job={job}
            storageName={storageName(job.storageId)}
            canAct={!isDown}
            focusTurn={focusTurn}
            onClose={closePanel}
            onChange={(jobId, part) => reader.change(jobId, part)}
          />
        ) : null}
      </div>
      <div className="isg-job-foot isg-dim" role="status" data-testid="job-count">
        <span>{countSentence(state)}</span>
        {state.error !== null && state.list.rows.length > 0 && !isDown ? (
          <span className="isg-job-foot-error">The list could not be read again: {state.error}</span>
        ) : null}
      </div>
    </div>
  );
}

/** Jobs of the cluster: found, watched, cancelled, retried. Opened with `role`, `state`, `storage`, `node`, `text`. */
export function JobsScreen() {
  const { params } = useRoute();
  return <JobsBody key={JSON.stringify(params)} params={params} />;
}
