import type { CheckResult, NodeSnapshot } from '../../../agent/contract/index.ts';
import { type Finding, type FindingAction, sentence } from './finding.ts';

/** The order in which one trouble causes another: iconik names the database, the database carries the cluster. */
const CHECK_ORDER = ['iconik', 'database', 'storage:', 'ffmpeg', 'disk'];

const rank = (check: string): number => {
  const place = CHECK_ORDER.findIndex((start) => check.startsWith(start));
  return place === -1 ? CHECK_ORDER.length : place;
};

/** How a check is called: `storage:<id>` by the storage's name. */
export function checkName(check: string, snapshot: NodeSnapshot): string {
  if (check === 'iconik') return 'iconik';
  if (check === 'database') return 'Database';
  if (check === 'ffmpeg') return 'ffmpeg';
  if (check === 'disk') return 'Disk space';
  if (check === 'jobs') return 'Jobs';
  if (check === 'version') return 'Version';
  const id = check.startsWith('storage:') ? check.slice('storage:'.length) : null;
  if (id === null) return check;
  return `Storage ${snapshot.storages.find((storage) => storage.id === id)?.name ?? id}`;
}

function consequenceOf(check: string, snapshot: NodeSnapshot, status: CheckResult['status']): string {
  if (status === 'warning') return 'Work goes on for now.';
  if (check === 'iconik') return 'This node cannot lead, and takes no work that needs iconik.';
  if (check === 'database') return 'This node cannot lead and takes no jobs: the cluster keeps its state there.';
  if (check.startsWith('storage:')) {
    return `This node cannot lead, and does no work on ${checkName(check, snapshot)}.`;
  }
  return check === 'ffmpeg' ? 'This node makes no proxies and keyframes.' : 'Work that needs it stands still.';
}

const actionsOf = (check: string): FindingAction[] => {
  if (check.startsWith('storage:')) return ['open-storages'];
  return check === 'ffmpeg' || check === 'iconik' || check === 'disk' ? ['open-settings', 'open-logs'] : ['open-logs'];
};

/** All checks, each once, in the order of cause; those of storages come also from the storages. Pure. */
export function checksOf(snapshot: NodeSnapshot): CheckResult[] {
  const checks = new Map(snapshot.storages.map(({ health }) => [health.check, health]));
  for (const check of snapshot.checks) checks.set(check.check, check);
  return [...checks.values()].sort((a, b) => rank(a.check) - rank(b.check));
}

function causeOf({ check, reason }: CheckResult, snapshot: NodeSnapshot): string {
  const name = checkName(check, snapshot);
  const said = sentence(reason) || 'The check fails.';
  const bare = name.replace(/^Storage /, '').toLowerCase();
  return said.toLowerCase().includes(bare) ? said : `${name}: ${said}`;
}

/** Checks that fail, then those that warn, each in the order of cause. Pure. */
export function checkFindings(snapshot: NodeSnapshot): { failing: Finding[]; warnings: Finding[] } {
  const findings = (status: 'failing' | 'warning') =>
    checksOf(snapshot)
      .filter((check) => check.status === status)
      .map(
        (check): Finding => ({
          id: `check-${check.check}`,
          severity: status === 'failing' ? 'critical' : 'warning',
          cause: causeOf(check, snapshot),
          consequence: consequenceOf(check.check, snapshot, status),
          remedy: sentence(check.remedy) || 'Read the logs for more.',
          actions: actionsOf(check.check),
          evidence: [`Check ${check.check}: ${check.status}.`],
        }),
      );
  return { failing: findings('failing'), warnings: findings('warning') };
}

/** What the agent waits for before it can run. Pure. */
export function phaseFindings(snapshot: NodeSnapshot): Finding[] {
  const reason = sentence(snapshot.reason);
  const waiting = (what: string, remedy: string, actions: FindingAction[]): Finding[] => [
    {
      id: `phase-${snapshot.phase}`,
      severity: 'critical',
      cause: `${what} ${reason}`.trim(),
      consequence: 'This node does no work until then, and other nodes do not count on it.',
      remedy,
      actions,
      evidence: [`iconik: ${snapshot.node.iconikUrl}`, `Storage gateway: ${snapshot.node.storageGatewayId || 'none'}`],
    },
  ];
  switch (snapshot.phase) {
    case 'set-up':
      return waiting('This node is not set up yet.', 'Open the set-up assistant.', ['open-set-up']);
    case 'waiting-for-iconik':
      return waiting(
        'This node waits for iconik.',
        'Check the URL, App-ID and token, and the way to iconik through proxy and firewall. It goes on by itself.',
        ['open-settings', 'open-logs'],
      );
    case 'waiting-for-database':
      return waiting(
        'This node waits for the database of the cluster.',
        'Check that the database runs and can be reached from here. It goes on by itself.',
        ['open-logs'],
      );
    case 'running':
    case 'stopping':
      return [];
    default:
      return snapshot.phase satisfies never;
  }
}

/** What idles or limits the node as a whole: duplicate, disabled, another database, paused by hand. Pure. */
export function statusFindings(snapshot: NodeSnapshot): Finding[] {
  const { availability, reason } = snapshot.status;
  const findings: Finding[] = [];
  if (availability === 'duplicate') findings.push(duplicate(snapshot));
  if (availability === 'disabled') findings.push(disabled(snapshot));
  if (/data ?base.*(changed|differs)|db-uri-differs|database-uri-differs/i.test(reason))
    findings.push(otherDatabase(snapshot));
  if (snapshot.isPaused) {
    findings.push({
      id: 'paused',
      severity: 'note',
      cause: 'This node was paused by hand.',
      consequence: 'It finishes its running jobs, takes no new ones and does not lead.',
      remedy: 'Resume it when it should work again.',
      actions: ['resume-node'],
      evidence: [`Running jobs: ${snapshot.running.length}.`],
    });
  }
  return findings;
}

const duplicate = (snapshot: NodeSnapshot): Finding => ({
  id: 'duplicate',
  severity: 'critical',
  cause: sentence(snapshot.status.reason) || 'Another node uses the storage gateway id of this one.',
  consequence: 'This node runs nothing as long as the other one lives.',
  remedy: 'Stop the other node, or give this one a storage gateway id of its own.',
  actions: ['open-settings', 'open-set-up'],
  evidence: [
    `Storage gateway id: ${snapshot.node.storageGatewayId}`,
    `Id of this installation: ${snapshot.node.workerId}`,
  ],
});

function disabled(snapshot: NodeSnapshot): Finding {
  const isCluster = !snapshot.cluster.enabled;
  return {
    id: 'disabled',
    severity: 'warning',
    cause: isCluster ? 'The cluster is disabled in iconik.' : 'This node is disabled in iconik.',
    consequence: isCluster ? 'No node of it takes work.' : 'This node takes no work; the other nodes go on.',
    remedy: isCluster ? 'Enable it on the cluster screen.' : 'Enable the storage gateway in iconik.',
    actions: isCluster ? ['open-cluster'] : [],
    evidence: [],
  };
}

const otherDatabase = (snapshot: NodeSnapshot): Finding => ({
  id: 'database-uri-differs',
  severity: 'critical',
  cause: 'The database that this node uses is not the one that iconik names for the cluster.',
  consequence: 'This node does no work, so that two databases never carry one cluster.',
  remedy: 'Restart the agent. If config.ini holds db-connection-uri, remove it there or make it the same.',
  actions: ['restart-agent', 'open-settings'],
  evidence: [snapshot.status.reason],
});
