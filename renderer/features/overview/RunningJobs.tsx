import { ActionIcon } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { useState } from 'react';
import type { RunningJob } from '../../../agent/contract/index.ts';
import { callBridge } from '../../bridge/call.ts';
import { useNow } from '../../state/use-now.ts';
import { ConfirmDialog } from '../../ui/ConfirmDialog.tsx';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { formatAbsolute, formatDurationExact, formatPercent, sentenceCase } from '../../ui/format.ts';
import { inOrderOfStart, splitSubject, timeLeft } from './running-jobs.ts';

interface JobRowProps {
  job: RunningJob;
  /** When the list was true; null = now. */
  asOfMs: number | null;
  onCancel: (job: RunningJob) => void;
}

function JobRow({ job, asOfMs, onCancel }: JobRowProps) {
  const runningMs = useNow();
  const nowMs = asOfMs ?? runningMs;
  const { name, folder } = splitSubject(job.subject || sentenceCase(job.kind));
  return (
    <li className="isg-job">
      <div className="isg-job-what">
        <div className="isg-job-name" title={job.subject}>
          <span className="isg-mono isg-truncate">{name}</span>
        </div>
        <div className="isg-dim isg-small isg-truncate">
          {[sentenceCase(job.kind), job.note, folder].filter((part) => part !== '').join(' · ')}
        </div>
      </div>
      <div className="isg-job-progress">
        <div className="isg-job-line">
          <span>{formatPercent(job.progress)}</span>
          <span className="isg-dim">{asOfMs === null ? timeLeft(job, nowMs) : ''}</span>
        </div>
        <div
          className="isg-slots"
          role="progressbar"
          aria-label={`Progress of ${name}`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.floor(job.progress * 100)}
        >
          <div className="isg-slots-used" style={{ width: `${job.progress * 100}%` }} />
        </div>
      </div>
      <div className="isg-job-time" title={`Started ${formatAbsolute(job.startedMs)}`}>
        {formatDurationExact(nowMs - job.startedMs)}
      </div>
      {asOfMs !== null ? null : (
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={`Cancel ${job.kind} of ${name}`}
          onClick={() => onCancel(job)}
        >
          <IconX size={16} aria-hidden />
        </ActionIcon>
      )}
    </li>
  );
}

/** What runs on this node, oldest first; each can be cancelled after a question. `asOfMs` = when the list was true, if not now. */
export function RunningJobs({ jobs, asOfMs }: { jobs: readonly RunningJob[]; asOfMs: number | null }) {
  const [asked, setAsked] = useState<RunningJob | null>(null);
  const [isOpen, setIsOpen] = useState(false);
  const ask = (job: RunningJob) => {
    setAsked(job);
    setIsOpen(true);
  };
  return (
    <>
      {jobs.length === 0 ? (
        <div className="isg-scroll-list">
          <EmptyState title="Nothing runs on this node">
            Jobs appear here while this node works on them. What waits and what is done is on the Jobs screen.
          </EmptyState>
        </div>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling list must be reachable by keyboard.
        <ul className="isg-scroll-list" tabIndex={0} aria-label="Running jobs">
          {inOrderOfStart(jobs).map((job) => (
            <JobRow key={job.jobId} job={job} asOfMs={asOfMs} onCancel={ask} />
          ))}
        </ul>
      )}
      <ConfirmDialog
        opened={isOpen}
        onClose={() => setIsOpen(false)}
        tone="danger"
        title={`Cancel this ${asked?.kind ?? 'job'}?`}
        body={
          <>
            <span className="isg-mono">{asked?.subject}</span> is {formatPercent(asked?.progress ?? 0)} done. The work
            done so far is discarded; the file itself is not touched. The job can be retried on the Jobs screen.
          </>
        }
        confirmLabel="Cancel job"
        cancelLabel="Keep it running"
        onConfirm={() => (asked ? callBridge('jobs.cancel', { jobId: asked.jobId }) : undefined)}
      />
    </>
  );
}
