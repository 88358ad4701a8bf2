import { ActionIcon, Button, NativeSelect } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { JobRow } from '../../../agent/contract/index.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { ConfirmDialog } from '../../ui/ConfirmDialog.tsx';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { formatDurationExact } from '../../ui/format.ts';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { RoleChip } from '../../ui/RoleChips.tsx';
import { JobProgress } from './JobProgress.tsx';
import { JobStateMark } from './JobStateMark.tsx';
import { canCancel, cancelConsequence, canPrioritise, canRetry, kindWord } from './job-words.ts';
import './jobs.css';

const WORDS: Record<number, string> = { 10: '10 – first', 5: '5 – usual', 1: '1 – last' };
const PRIORITIES = Array.from({ length: 10 }, (_, at) => ({
  value: String(10 - at),
  label: WORDS[10 - at] ?? String(10 - at),
}));

/** What the panel shows and does. */
export interface JobPanelProps {
  job: JobRow;
  storageName: string;
  /** Whether somebody can carry out an action now. */
  canAct: boolean;
  /** Counts up whenever the keyboard is to move into the panel. */
  focusTurn: number;
  onClose: () => void;
  /** Shows a change at once; the next refresh tells the truth. */
  onChange: (jobId: string, change: Partial<JobRow>) => void;
}

function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </>
  );
}

function runTime(job: JobRow): ReactNode {
  if (job.startedMs === null) return <span className="isg-dim">Not started</span>;
  if (job.finishedMs === null) return <RelativeTime atMs={job.startedMs} />;
  return formatDurationExact(job.finishedMs - job.startedMs);
}

function Facts({ job, storageName }: { job: JobRow; storageName: string }) {
  return (
    <dl className="isg-job-facts">
      <Fact label="File">
        <span className="isg-mono isg-job-path">{job.subject || 'None'}</span>
      </Fact>
      <Fact label="Storage">{storageName || 'None'}</Fact>
      <Fact label="Role">
        <RoleChip role={job.role} />
      </Fact>
      <Fact label="Node">{job.nodeName ?? <span className="isg-dim">None has it now</span>}</Fact>
      <Fact label="Attempts">{job.attempts}</Fact>
      <Fact label="Created">
        <RelativeTime atMs={job.createdMs} />
      </Fact>
      <Fact label={job.finishedMs === null ? 'Started' : 'Took'}>{runTime(job)}</Fact>
      {job.finishedMs === null ? null : (
        <Fact label="Ended">
          <RelativeTime atMs={job.finishedMs} />
        </Fact>
      )}
      {job.note === '' ? null : <Fact label="Note">{job.note}</Fact>}
      <Fact label="Job id">
        <span className="isg-mono">{job.jobId}</span>
      </Fact>
    </dl>
  );
}

function Trouble({ job }: { job: JobRow }) {
  if (!job.error) return null;
  const isOver = job.state === 'failed' || job.state === 'cancelled';
  const isTransient = job.error.retry === 'transient';
  const consequence = isOver
    ? 'It is not tried again by itself.'
    : job.state === 'queued'
      ? 'It waits for another attempt.'
      : 'This was the attempt before.';
  const remedy = isOver && isTransient ? 'The cause may have passed: Retry queues it with fresh attempts.' : '';
  return (
    <ErrorNotice
      status={isOver ? 'failing' : 'warning'}
      cause={job.error.message}
      consequence={consequence}
      remedy={remedy}
    />
  );
}

function PriorityField({
  job,
  onChange,
  onError,
}: Pick<JobPanelProps, 'job' | 'onChange'> & { onError: (words: string) => void }) {
  const set = async (priority: number) => {
    const before = job.priority;
    onChange(job.jobId, { priority });
    try {
      await callBridge('jobs.set-priority', { jobId: job.jobId, priority });
      onError('');
    } catch (thrown) {
      onChange(job.jobId, { priority: before });
      onError(`The priority stays ${before}. ${asBridgeError(thrown).message}`);
    }
  };
  return (
    <NativeSelect
      label="Priority"
      title="10 goes first, 1 last; jobs begin with 5."
      className="isg-job-priority"
      data={PRIORITIES}
      value={String(job.priority)}
      onChange={(event) => void set(Number(event.currentTarget.value))}
    />
  );
}

function Actions({ job, onChange }: Pick<JobPanelProps, 'job' | 'onChange'>) {
  const [isAsking, setIsAsking] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const retry = async () => {
    setIsBusy(true);
    try {
      await callBridge('jobs.retry', { jobId: job.jobId });
      setFailure('');
      onChange(job.jobId, {
        state: 'queued',
        attempts: 0,
        progress: 0,
        error: null,
        finishedMs: null,
        startedMs: null,
      });
    } catch (thrown) {
      setFailure(asBridgeError(thrown).message);
    } finally {
      setIsBusy(false);
    }
  };
  const cancel = async () => {
    await callBridge('jobs.cancel', { jobId: job.jobId });
    if (job.state === 'queued') onChange(job.jobId, { state: 'cancelled' });
    else onChange(job.jobId, { note: 'Cancelling' });
  };
  return (
    <div className="isg-job-actions">
      {failure === '' ? null : <ErrorNotice cause={failure} isLive />}
      <div className="isg-row isg-job-action-row">
        {canPrioritise(job) ? <PriorityField job={job} onChange={onChange} onError={setFailure} /> : null}
        <span className="isg-spacer" />
        {canRetry(job) ? (
          <Button loading={isBusy} onClick={() => void retry()}>
            Retry
          </Button>
        ) : null}
        {canCancel(job) ? (
          <Button variant="default" onClick={() => setIsAsking(true)}>
            Cancel job
          </Button>
        ) : null}
      </div>
      <ConfirmDialog
        opened={isAsking}
        onClose={() => setIsAsking(false)}
        title="Cancel this job?"
        body={cancelConsequence(job)}
        confirmLabel="Cancel job"
        cancelLabel="Keep it"
        tone="danger"
        onConfirm={cancel}
      />
    </div>
  );
}

/** All about one job, beside the table; the table stays usable. Escape closes. */
export function JobPanel(props: JobPanelProps) {
  const { job, storageName, canAct, focusTurn, onClose, onChange } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (focusTurn > 0) heading.current?.focus();
  }, [focusTurn]);
  useEffect(() => {
    // A button that did its work is gone and with it the keyboard's place; Escape must still lead back to the table.
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented && document.activeElement === document.body) onClose();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, [onClose]);
  return (
    <aside
      className="isg-job-panel"
      aria-label="Job details"
      data-testid="job-panel"
      onKeyDown={(event) => {
        if (event.key === 'Escape' && !event.defaultPrevented) onClose();
      }}
    >
      <div className="isg-job-panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {kindWord(job.kind)}
        </h2>
        <JobStateMark state={job.state} />
        <span className="isg-spacer" />
        <ActionIcon variant="subtle" color="gray" aria-label="Close details" onClick={onClose}>
          <IconX size={18} stroke={1.6} aria-hidden />
        </ActionIcon>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long details scroll, and the keyboard must reach them. */}
      <section className="isg-job-panel-body" aria-label="What is known of the job" tabIndex={0}>
        <JobProgress job={job} />
        <Trouble job={job} />
        <Facts job={job} storageName={storageName} />
      </section>
      {canAct && job.state !== 'done' ? <Actions key={job.jobId} job={job} onChange={onChange} /> : null}
    </aside>
  );
}
