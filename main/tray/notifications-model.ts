import type { NodeSnapshot } from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import { checkName } from './tray-words.ts';

/** Notifications: only what needs a person, once until it is resolved, never a stream. Pure. */

/** One notification to show. */
export interface TrayNotification {
  /** What it is about; the same trouble has the same key. */
  key: string;
  title: string;
  /** Consequence and remedy. */
  body: string;
  /** Where a click leads. */
  screen: string;
}

/** What is remembered about each trouble between two states. Times are wall clock milliseconds. */
interface Trouble {
  seenMs: number;
  /** Since when it is gone; null while it lasts. */
  goneMs: number | null;
  isShown: boolean;
}

/** What is remembered between two states. */
export type NotificationMemory = Readonly<Record<string, Trouble>>;

/** A trouble that is gone for less than this is the same trouble when it comes back. */
const RESOLVED_MS = 120_000;
/** A fail-over, a restart of a node or a short glitch of a mount needs nobody. */
const LASTS_MS = {
  'leadership-lost': 30_000,
  'role-uncovered': 30_000,
  'storage-lost': 10_000,
  duplicate: 5_000,
  agent: 0,
  update: 0,
};

interface Finding extends TrayNotification {
  lastsMs: number;
}

/**
 * What to show now, and what to remember for the next state. Call it at every change and at least every 10 s, since some
 * troubles count only when they last. What cannot be known while the agent is down neither begins nor ends.
 */
export function nextNotifications(
  memory: NotificationMemory,
  state: AppState,
  nowMs: number,
): { memory: NotificationMemory; show: TrayNotification[] } {
  const found = new Map(findings(state).map((finding) => [finding.key, finding]));
  const isNodeKnown = state.agent.state === 'running' && state.snapshot?.phase === 'running';
  const next: Record<string, Trouble> = {};
  for (const [key, trouble] of Object.entries(memory)) {
    if (found.has(key)) next[key] = { ...trouble, goneMs: null };
    else if (isAboutNode(key) && !isNodeKnown) next[key] = trouble;
    else {
      const goneMs = trouble.goneMs ?? nowMs;
      // A trouble that nobody was told of is forgotten at once: its time begins anew.
      if (trouble.isShown && nowMs - goneMs < RESOLVED_MS) next[key] = { ...trouble, goneMs };
    }
  }
  const show: TrayNotification[] = [];
  for (const [key, { lastsMs, ...notification }] of found) {
    const trouble = next[key] ?? { seenMs: nowMs, goneMs: null, isShown: false };
    const isDue = !trouble.isShown && nowMs - trouble.seenMs >= lastsMs;
    if (isDue) show.push(notification);
    next[key] = { ...trouble, isShown: trouble.isShown || isDue };
  }
  return { memory: next, show };
}

function isAboutNode(key: string): boolean {
  return !key.startsWith('agent') && !key.startsWith('update');
}

function findings(state: AppState): Finding[] {
  const found: Finding[] = [...agentFindings(state), ...updateFindings(state)];
  if (state.agent.state === 'running' && state.snapshot?.phase === 'running')
    found.push(...nodeFindings(state.snapshot));
  return found;
}

function agentFindings({ agent }: AppState): Finding[] {
  const common = { body: agent.reason, screen: 'diagnostics', lastsMs: LASTS_MS.agent };
  if (agent.service?.at === 'not-running')
    return [{ key: 'agent-service', title: 'The service of ISG Pro is not running', ...common }];
  if (agent.state === 'gave-up-for-now')
    return [{ key: 'agent-gave-up', title: 'The agent of ISG Pro keeps ending', ...common }];
  // Stopped by its exit code, not by a person: an end of its own left the code.
  if (agent.state === 'stopped' && agent.lastExitCode !== null)
    return [{ key: 'agent-stopped', title: 'The agent of ISG Pro has stopped', ...common }];
  // A try that has not lasted a minute has not mended anything: the trouble stays what it was.
  return [];
}

function updateFindings({ updateReady, update, appVersion }: AppState): Finding[] {
  const { last } = update;
  if (update.state === 'rolling-back') {
    const title = `ISG Pro ${update.version} does not work`;
    const body = 'The version before it is put back and started.';
    return [{ key: `update-back-${update.version}`, title, body, screen: 'overview', lastsMs: LASTS_MS.update }];
  }
  if (last?.outcome === 'failed' && last.version === appVersion && updateReady === null) {
    const title = `ISG Pro ${last.version} does not work`;
    const key = `update-stays-${last.version}`;
    return [{ key, title, body: last.why, screen: 'overview', lastsMs: LASTS_MS.update }];
  }
  // told at the first start of the version that came back
  if (last?.outcome === 'rolled-back' && updateReady === null) {
    const title = `Version ${last.from} of ISG Pro is back`;
    const body = `Version ${last.version} did not work on this computer. ${last.why}`;
    return [{ key: `update-back-${last.version}`, title, body, screen: 'overview', lastsMs: LASTS_MS.update }];
  }
  if (updateReady === null) return [];
  return [
    {
      key: `update-${updateReady}`,
      title: `ISG Pro ${updateReady} is ready`,
      body: 'It is installed when no job runs on this node. Open ISG Pro to install it now or later.',
      screen: 'overview',
      lastsMs: LASTS_MS.update,
    },
  ];
}

function nodeFindings(snapshot: NodeSnapshot): Finding[] {
  const { availability, reason } = snapshot.status;
  // A duplicate does nothing and knows little; the rest would be noise.
  if (availability === 'duplicate')
    return [
      {
        key: 'duplicate',
        title: 'This storage gateway id is in use twice',
        body: reason,
        screen: 'cluster',
        lastsMs: LASTS_MS.duplicate,
      },
    ];
  // Wanted so: nobody needs to be told.
  if (!snapshot.cluster.enabled || availability === 'disabled') return [];
  return [...leaderFindings(snapshot), ...storageFindings(snapshot), ...roleFindings(snapshot)];
}

function leaderFindings(snapshot: NodeSnapshot): Finding[] {
  const { standing, leaderName, why } = snapshot.leadership;
  const nobodyLeads = standing === 'nobody' || (standing === 'cannot-lead' && leaderName === null);
  if (!nobodyLeads || snapshot.isPaused) return [];
  return [
    {
      key: 'leadership-lost',
      title: 'Nobody leads the cluster',
      body: `No files are scanned and no orders of iconik are taken. ${why === '' ? 'Check the other MAIN nodes.' : why}`,
      screen: 'cluster',
      lastsMs: LASTS_MS['leadership-lost'],
    },
  ];
}

function storageFindings(snapshot: NodeSnapshot): Finding[] {
  return snapshot.checks
    .filter(({ check, status }) => check.startsWith('storage:') && status === 'failing')
    .map((check) => ({
      key: `storage-lost:${check.check}`,
      title: `Storage ${checkName(check, snapshot)} is not usable on this node`,
      body: `${check.reason} ${check.remedy}`.trim(),
      screen: 'diagnostics',
      lastsMs: LASTS_MS['storage-lost'],
    }));
}

function roleFindings(snapshot: NodeSnapshot): Finding[] {
  return snapshot.cluster.uncoveredRoles.map((role) => ({
    key: `role-uncovered:${role}`,
    title: `No node works on ${role}`,
    body: `${role} jobs wait until a node with this role is available. Start such a node, or add the role to one.`,
    screen: 'cluster',
    lastsMs: LASTS_MS['role-uncovered'],
  }));
}
