import type { AppState } from '../../../preload/contract/app-state.ts';
import { checkName, checksOf } from '../../ui/findings/node-findings.ts';
import type { Status } from '../../ui/StatusMark.tsx';

/** One line of the list of everything that was looked at, healthy or not. */
export interface JudgedCheck {
  name: string;
  status: Status;
  /** The status in a word or two. */
  label: string;
  /** What was found; may be empty. */
  detail: string;
}

const AGENT: Readonly<Record<AppState['agent']['state'], { status: Status; label: string }>> = {
  stopped: { status: 'failing', label: 'Stopped' },
  starting: { status: 'unknown', label: 'Starting' },
  running: { status: 'ok', label: 'Running' },
  unresponsive: { status: 'failing', label: 'Unresponsive' },
  'backing-off': { status: 'failing', label: 'Ended' },
  stopping: { status: 'unknown', label: 'Stopping' },
  'gave-up-for-now': { status: 'failing', label: 'Keeps ending' },
};

const CONFIG: Readonly<Record<AppState['config']['status'], { status: Status; label: string }>> = {
  absent: { status: 'failing', label: 'Absent' },
  ok: { status: 'ok', label: 'In order' },
  invalid: { status: 'failing', label: 'Wrong' },
};

const WORDS: Readonly<Record<Status, string>> = {
  ok: 'Healthy',
  failing: 'Failing',
  warning: 'Warning',
  unknown: 'Not known',
};

function leadership(state: AppState): JudgedCheck {
  const name = 'Leadership';
  const { snapshot } = state;
  if (state.agent.state !== 'running' || snapshot === null || snapshot.phase !== 'running') {
    return { name, status: 'unknown', label: WORDS.unknown, detail: '' };
  }
  const { standing, leaderName } = snapshot.leadership;
  if (standing === 'unknown') return { name, status: 'unknown', label: WORDS.unknown, detail: '' };
  const leads = standing === 'leader' ? 'This node leads.' : `${leaderName ?? ''} leads.`;
  const hasLeader = standing === 'leader' || (standing !== 'nobody' && leaderName !== null);
  if (hasLeader) return { name, status: 'ok', label: WORDS.ok, detail: leads };
  const isChoosing = snapshot.cluster.leaderless === null && snapshot.cluster.enabled;
  return isChoosing
    ? { name, status: 'unknown', label: WORDS.unknown, detail: 'The cluster is choosing a leader.' }
    : { name, status: 'failing', label: 'Nobody leads', detail: '' };
}

/** Everything the diagnosis looked at. Pure. What an agent that does not run said last counts as not known. */
export function judgedChecks(state: AppState): JudgedCheck[] {
  const { agent, config, snapshot } = state;
  const isLive = agent.state === 'running';
  const checks = snapshot === null ? [] : checksOf(snapshot);
  return [
    { name: 'Configuration', ...CONFIG[config.status], detail: config.path },
    { name: 'Agent', ...AGENT[agent.state], detail: agent.reason },
    ...checks.map(({ check, status, reason }) => ({
      name: snapshot === null ? check : checkName(check, snapshot),
      status: isLive ? status : ('unknown' as const),
      label: WORDS[isLive ? status : 'unknown'],
      detail: isLive ? reason : '',
    })),
    leadership(state),
  ];
}
