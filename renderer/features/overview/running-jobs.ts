import type { RunningJob } from '../../../agent/contract/index.ts';
import { formatDuration } from '../../ui/format.ts';

/** Below this share an estimate would be a guess. */
const LEAST_SHARE = 0.03;
const LEAST_MS = 5_000;

/** Time that is left at the pace so far, e.g. `3 min left`; empty while it cannot be told. */
export function timeLeft({ progress, startedMs }: Pick<RunningJob, 'progress' | 'startedMs'>, nowMs: number): string {
  const elapsedMs = nowMs - startedMs;
  if (progress < LEAST_SHARE || progress >= 1 || elapsedMs < LEAST_MS) return '';
  return `${formatDuration((elapsedMs / progress) * (1 - progress))} left`;
}

/** File name and folder of a subject, so that the name stays readable when the place is narrow. */
export function splitSubject(subject: string): { name: string; folder: string } {
  const cut = subject.lastIndexOf('/');
  return { name: subject.slice(cut + 1), folder: cut > 0 ? subject.slice(0, cut) : '' };
}

/** Oldest first and never reordered: a row keeps its place while its job runs. */
export function inOrderOfStart(jobs: readonly RunningJob[]): RunningJob[] {
  return [...jobs].sort((a, b) => a.startedMs - b.startedMs || a.jobId.localeCompare(b.jobId));
}
