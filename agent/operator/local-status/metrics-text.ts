import type { NodeSnapshot } from '../../contract/index.ts';

/** One figure for Prometheus. */
export interface Metric {
  name: string;
  help: string;
  /** Each with its labels. */
  values: { labels: Record<string, string>; value: number }[];
}

/** How the log stands on its way to the database. */
export interface LogStanding {
  /** Records that are not in the database yet; null = not known. */
  waitingRecords: number | null;
  bytes: number;
}

const AVAILABILITIES = ['available', 'degraded', 'draining', 'disabled', 'duplicate', 'unavailable'];

const single = (name: string, help: string, value: number): Metric => ({ name, help, values: [{ labels: {}, value }] });

/** The figures of a node, from the one state object that tray, window and command line show. Pure. */
export function metricsOf(snapshot: NodeSnapshot, log: LogStanding, version: string): Metric[] {
  const { leadership, roles, checks, status, phase } = snapshot;
  const availability = AVAILABILITIES.map((each) => ({
    labels: { availability: each },
    value: status.availability === each ? 1 : 0,
  }));
  const byRole = (pick: (role: (typeof roles)[number]) => number) =>
    roles.map((role) => ({ labels: { role: role.role }, value: pick(role) }));
  return [
    { name: 'isg_info', help: 'Always 1; the version is a label.', values: [{ labels: { version }, value: 1 }] },
    single('isg_running', 'Whether the node runs (1) or waits, starts or stops (0).', phase === 'running' ? 1 : 0),
    single('isg_leader', 'Whether this node leads the cluster.', leadership.standing === 'leader' ? 1 : 0),
    single(
      'isg_leader_term',
      'Term of the current leadership, as far as this node knows; 0 = not known.',
      leadership.term ?? 0,
    ),
    { name: 'isg_availability', help: 'Availability of this node: 1 for the one that holds.', values: availability },
    {
      name: 'isg_check_ok',
      help: 'Whether a health check passes. A warning passes; what is not known yet does not.',
      values: checks.map(({ check, status: verdict }) => ({
        labels: { check },
        value: verdict === 'ok' || verdict === 'warning' ? 1 : 0,
      })),
    },
    {
      name: 'isg_jobs_running',
      help: 'Jobs of a role that run on this node.',
      values: byRole(({ running }) => running),
    },
    { name: 'isg_jobs_limit', help: 'Jobs of a role that may run on this node.', values: byRole(({ limit }) => limit) },
    ...(log.waitingRecords === null
      ? []
      : [single('isg_outbox_records', 'Log records that are not in the database yet.', log.waitingRecords)]),
    single('isg_log_cache_bytes', 'Size of the log cache on disk.', log.bytes),
  ];
}
