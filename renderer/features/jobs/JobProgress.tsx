import type { JobRow } from '../../../agent/contract/index.ts';
import { formatPercent } from '../../ui/format.ts';
import './jobs.css';

/** How far a running job is, as bar and number. Other states have none. */
export function JobProgress({ job }: { job: Pick<JobRow, 'state' | 'progress' | 'subject'> }) {
  if (job.state !== 'leased') return null;
  const percent = Math.min(100, Math.max(0, job.progress * 100));
  return (
    <span className="isg-job-progress">
      <span
        className="isg-job-track"
        role="progressbar"
        aria-label={`Progress of ${job.subject || 'the job'}`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(percent)}
      >
        <span className="isg-job-fill" style={{ width: `${percent}%` }} />
      </span>
      <span className="isg-job-percent">{formatPercent(job.progress)}</span>
    </span>
  );
}
