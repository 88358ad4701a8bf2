import { ROLES, type Role, type ThroughputPoint } from '../../../agent/contract/index.ts';

const MINUTE_MS = 60_000;

/** What one role got done, minute by minute, on the grid of the plot. */
export interface RoleSeries {
  role: Role;
  /** Jobs done in each minute. For most roles one job is one file. */
  jobsPerMinute: number[];
  /** Bytes per second, averaged over each minute. */
  bytesPerSecond: number[];
}

/** All roles on one grid of whole minutes. */
export interface Throughput {
  /** Start of each minute, oldest first. */
  minutes: number[];
  series: RoleSeries[];
  /** Whether anything was done at all. */
  isEmpty: boolean;
}

/**
 * Lays points on a grid of `hours` × 60 whole minutes that ends with the last complete minute before `nowMs`: the minute
 * under way would always look like a fall. Minutes without a point are zero: nothing was done in them.
 */
export function throughputSeries(points: readonly ThroughputPoint[], nowMs: number, hours = 1): Throughput {
  const count = hours * 60;
  const endMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  const startMs = endMs - count * MINUTE_MS;
  const minutes = Array.from({ length: count }, (_, at) => startMs + at * MINUTE_MS);
  const series = ROLES.map((role) => ({
    role,
    jobsPerMinute: minutes.map(() => 0),
    bytesPerSecond: minutes.map(() => 0),
  }));
  let isEmpty = true;
  for (const { role, minuteMs, jobs, bytes } of points) {
    const at = Math.floor((minuteMs - startMs) / MINUTE_MS);
    const line = series.find((each) => each.role === role);
    if (!line || at < 0 || at >= count) continue;
    line.jobsPerMinute[at] = (line.jobsPerMinute[at] ?? 0) + jobs;
    line.bytesPerSecond[at] = (line.bytesPerSecond[at] ?? 0) + bytes / 60;
    if (jobs > 0) isEmpty = false;
  }
  return { minutes, series, isEmpty };
}

/** Whether there is enough older than an hour to offer a plot of the day. */
export function hasADay(points: readonly ThroughputPoint[], nowMs: number): boolean {
  const [oldest] = points;
  return oldest !== undefined && nowMs - oldest.minuteMs > 2 * 60 * MINUTE_MS;
}
