import type { AppState } from '../../../preload/contract/app-state.ts';
import { agentFindings, configFindings } from './agent-findings.ts';
import { coverageFindings, leadershipFindings, memberFindings, storageFindings } from './cluster-findings.ts';
import { type Finding, type Severity, sentence } from './finding.ts';
import { checkFindings, phaseFindings, statusFindings } from './node-findings.ts';

/** How grave a severity is; smaller = graver. */
const SEVERITY_ORDER: Readonly<Record<Severity, number>> = { critical: 0, warning: 1, note: 2 };

/**
 * Everything that is wrong, in the order of cause: what explains other findings comes before them (configuration, agent,
 * iconik, database, storages, node, leadership, roles, other nodes, warnings, notes). Pure. Empty = all is well. While the
 * agent does not run, only what main knows is judged: an old snapshot proves nothing.
 */
export function findingsOf(state: AppState, nowMs: number): Finding[] {
  const own = [...configFindings(state), ...agentFindings(state, nowMs)];
  const { snapshot } = state;
  if (snapshot === null || state.agent.state !== 'running') return own;
  const phase = phaseFindings(snapshot);
  const { failing, warnings } = checkFindings(snapshot);
  // before `running` the node has no standing in the cluster that could be judged
  if (snapshot.phase !== 'running') return [...own, ...phase, ...failing, ...warnings];
  const status = statusFindings(snapshot);
  const leadership = leadershipFindings(snapshot, nowMs);
  const coverage = coverageFindings(
    snapshot,
    leadership.some(({ id }) => id === 'nobody-leads' || id === 'choosing-leader'),
  );
  const found = [
    ...own,
    ...status,
    ...failing,
    ...leadership,
    ...coverage,
    ...memberFindings(snapshot, nowMs),
    ...storageFindings(snapshot),
    ...warnings,
  ];
  const explained = found.length > 0 ? found : unexplained(state);
  return explained.sort((a, b) => SEVERITY_ORDER[a.severity] - SEVERITY_ORDER[b.severity]);
}

// a status that no rule above explains is still said: silence would read as "fine"
function unexplained({ snapshot }: AppState): Finding[] {
  if (snapshot === null || snapshot.status.availability === 'available' || snapshot.isPaused) return [];
  return [
    {
      id: 'status',
      severity: 'warning',
      cause: snapshot.status.reason || `This node is ${snapshot.status.availability}.`,
      consequence: 'It takes no work, or only part of it.',
      remedy: 'Read the logs for more.',
      actions: ['open-logs'],
      evidence: [],
    },
  ];
}

/** Whether the state is known well enough to say that all is well. */
function isJudged(state: AppState): boolean {
  return (
    state.agent.state === 'running' &&
    state.snapshot?.phase === 'running' &&
    state.snapshot.checks.every(({ status }) => status !== 'unknown')
  );
}

const counted = (count: number, one: string, many: string): string => (count === 1 ? `one ${one}` : `${count} ${many}`);

/** The one sentence at the top of the screen. Pure. */
export function diagnosisSentence(state: AppState, findings: readonly Finding[]): string {
  const first = findings[0];
  if (first === undefined) {
    if (!isJudged(state)) return 'Nothing wrong was found so far, but not everything has been checked yet.';
    const storages = state.snapshot?.storages.length ?? 0;
    const mounts = storages === 0 ? '' : `, ${counted(storages, 'storage', 'storages')}`;
    return `Everything is well: agent, configuration, iconik, database${mounts} and leadership were checked.`;
  }
  const critical = findings.filter(({ severity }) => severity === 'critical').length;
  const rest = findings.length - critical;
  if (critical === 0) return `Work goes on; ${counted(rest, 'thing deserves', 'things deserve')} a look.`;
  const also =
    rest === 0 ? '' : ` ${sentence(`${counted(rest, 'more thing deserves', 'more things deserve')} a look`)}`;
  return critical === 1
    ? `Work is held up by one thing.${also}`
    : `Work is held up by ${critical} things; causes come first.${also}`;
}

/** The findings as plain text, to be pasted into a message to somebody who helps. No secrets: none are known here. */
export function findingsAsText(state: AppState, findings: readonly Finding[], nowMs: number): string {
  const node = state.snapshot?.node;
  const head = [
    `ISG Pro ${state.appVersion} (${state.platform}), ${new Date(nowMs).toISOString()}`,
    node === undefined
      ? 'No report of the agent.'
      : `Node ${node.name} on ${node.host}, storage gateway ${node.storageGatewayId}`,
    diagnosisSentence(state, findings),
  ];
  const body = findings.map(({ severity, cause, consequence, remedy, evidence }, index) =>
    [
      `${index + 1}. [${severity}] ${cause}`,
      `   Means: ${consequence}`,
      `   Remedy: ${remedy}`,
      ...evidence.map((line) => `   - ${line}`),
    ].join('\n'),
  );
  return [...head, '', ...body].join('\n');
}
