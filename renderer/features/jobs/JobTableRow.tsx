import { memo } from 'react';
import type { JobRow } from '../../../agent/contract/index.ts';
import { GRID_CELL, gridRow } from '../../ui/grid-roles.ts';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { SkeletonBlock } from '../../ui/SkeletonRows.tsx';
import { JobProgress } from './JobProgress.tsx';
import { JobStateMark } from './JobStateMark.tsx';
import { kindWord } from './job-words.ts';
import './jobs.css';

/** The last time that says something about a job: its end, its start, or when it came. */
function tellingTime(job: JobRow): number {
  return job.finishedMs ?? job.startedMs ?? job.createdMs;
}

/** Tells by DOM id which row has the keyboard (aria-activedescendant). */
export const jobRowId = (index: number) => `job-row-${index}`;

interface JobTableRowProps {
  job: JobRow;
  index: number;
  topPx: number;
  isActive: boolean;
  isDeparted: boolean;
  storageName: string;
}

/** The file's name above; below, what is known of the job: its trouble, its note, or the file's folder. */
function What({ job }: { job: JobRow }) {
  const slash = job.subject.lastIndexOf('/');
  const trouble = job.state === 'failed' && job.error ? job.error.message : job.note;
  const below = trouble === '' ? job.subject.slice(0, Math.max(0, slash)) : trouble;
  return (
    <span {...GRID_CELL} className="isg-job-file">
      <span className="isg-truncate isg-mono" title={job.subject}>
        {job.subject.slice(slash + 1) || <span className="isg-dim">Job {job.jobId}</span>}
      </span>
      {below === '' ? null : (
        <span className="isg-truncate isg-job-note" title={below}>
          {below}
        </span>
      )}
    </span>
  );
}

/** One job in the table. */
export const JobTableRow = memo(function JobTableRow(props: JobTableRowProps) {
  const { job, index, topPx, isActive, isDeparted, storageName } = props;
  return (
    <div
      {...gridRow(index + 2, { 'aria-selected': isActive })}
      id={jobRowId(index)}
      className={`isg-job-row${isActive ? ' isg-job-active' : ''}${isDeparted ? ' isg-job-departed' : ''}`}
      style={{ transform: `translateY(${topPx}px)` }}
      data-testid="job-row"
      data-job-id={job.jobId}
      title={isDeparted ? 'No longer matches the filter. It goes when the pointer leaves the table.' : undefined}
    >
      <span {...GRID_CELL}>
        <JobStateMark state={job.state} />
      </span>
      <span {...GRID_CELL}>{kindWord(job.kind)}</span>
      <What job={job} />
      <span {...GRID_CELL}>
        <JobProgress job={job} />
      </span>
      <span {...GRID_CELL} className="isg-truncate isg-job-storage" title={storageName}>
        {storageName}
      </span>
      <span {...GRID_CELL} className="isg-truncate" title={job.nodeName ?? ''}>
        {job.nodeName ?? <span className="isg-dim">–</span>}
      </span>
      <span {...GRID_CELL} className="isg-num">
        {job.priority}
      </span>
      <span {...GRID_CELL} className="isg-num isg-job-attempts">
        {job.attempts}
      </span>
      <span {...GRID_CELL} className="isg-num">
        <RelativeTime atMs={tellingTime(job)} />
      </span>
    </div>
  );
});

/** A row that is being read. */
export function JobTableGhost({ index, topPx }: { index: number; topPx: number }) {
  return (
    <div
      {...gridRow(index + 2, { 'aria-busy': true })}
      className="isg-job-row"
      style={{ transform: `translateY(${topPx}px)` }}
    >
      <span {...GRID_CELL}>
        <SkeletonBlock height={12} width={72} />
      </span>
      <span {...GRID_CELL}>
        <SkeletonBlock height={12} width={64} />
      </span>
      <span {...GRID_CELL}>
        <SkeletonBlock height={12} width={`${40 + ((index * 13) % 40)}%`} />
      </span>
    </div>
  );
}
