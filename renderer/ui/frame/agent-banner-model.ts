import type { Phase } from '../../../agent/contract/index.ts';
import type { AgentState, AppState } from '../../../preload/contract/app-state.ts';
import { freshness } from '../../state/freshness.ts';
import { findingsOf } from '../findings/findings.ts';
import { formatDuration, plural } from '../format.ts';
import type { Status } from '../StatusMark.tsx';

/** What stands above every screen while the agent cannot be believed or does not work. */
export interface AgentBanner {
  status: Status;
  cause: string;
  consequence: string;
  remedy: string;
  /** Last lines of the agent's standard error, or the problems of config.ini. */
  lines: readonly string[];
  /** The button that helps; null when waiting is all there is to do. */
  action: 'restart-agent' | 'open-settings' | null;
}

const AGENT_CAUSES: Record<Exclude<AgentState['state'], 'running'>, { status: Status; cause: string }> = {
  stopped: { status: 'failing', cause: 'The agent is stopped.' },
  starting: { status: 'unknown', cause: 'The agent is starting.' },
  unresponsive: { status: 'warning', cause: 'The agent does not answer.' },
  'backing-off': { status: 'failing', cause: 'The agent has ended and will be started again.' },
  stopping: { status: 'unknown', cause: 'The agent is stopping.' },
  'gave-up-for-now': { status: 'failing', cause: 'The agent ended again and again; it is left alone for now.' },
};

const PHASE_CAUSES: Record<Exclude<Phase, 'running' | 'set-up'>, { status: Status; cause: string }> = {
  'waiting-for-iconik': { status: 'warning', cause: 'This node waits for iconik.' },
  'waiting-for-database': { status: 'warning', cause: 'This node waits for the database.' },
  stopping: { status: 'unknown', cause: 'This node is stopping.' },
};

const SHOWN_LINES = 6;

function downBanner(state: AppState, ageMs: number | null, nowMs: number): AgentBanner {
  const { agent } = state;
  if (agent.state === 'running') throw new TypeError('a running agent is not down');
  const parts = [agent.reason];
  if (agent.nextStartMs !== null && agent.nextStartMs > nowMs) {
    parts.push(
      `Next ${agent.service === undefined ? 'start' : 'try'} in ${formatDuration(agent.nextStartMs - nowMs + 999)}.`,
    );
  }
  // A service works on, whether or not this application may talk with it.
  const mayWork = agent.service?.at === 'forbidden' || agent.service?.at === 'other-version';
  if (agent.state !== 'starting' && agent.state !== 'unresponsive' && !mayWork) {
    parts.push('Until it runs, this node scans, ingests and transfers nothing.');
  }
  const canAct = agent.service === undefined || agent.service.restart !== null;
  const isAlone = agent.state !== 'starting' && agent.state !== 'stopping' && canAct;
  return {
    ...AGENT_CAUSES[agent.state],
    ...(agent.service === undefined ? {} : { cause: agent.service.sentence }),
    consequence: parts.filter((part) => part !== '').join(' '),
    remedy: ageMs === null ? '' : `What is shown below was so ${formatDuration(ageMs)} ago.`,
    lines: agent.lastWords.slice(-SHOWN_LINES),
    action: isAlone ? 'restart-agent' : null,
  };
}

const configBanner = (state: AppState): AgentBanner => ({
  status: 'failing',
  cause: `config.ini has ${plural(state.config.problems.length, 'problem')}.`,
  consequence:
    state.agent.state === 'running'
      ? 'The node goes on with the settings of before; what is saved next counts by itself when it is right.'
      : 'The agent cannot start until they are mended; it starts by itself when the file is saved.',
  remedy: state.config.path,
  lines: state.config.problems,
  action: 'open-settings',
});

/** The one banner, the gravest first; null when the agent runs and its data are fresh. */
export function agentBanner(state: AppState, nowMs: number): AgentBanner | null {
  if (state.config.status === 'invalid') return configBanner(state);
  const fresh = freshness(state, nowMs);
  if (fresh.kind === 'down') return downBanner(state, fresh.ageMs, nowMs);
  const quiet = { lines: [], action: null, remedy: '' };
  const phase = state.snapshot?.phase ?? 'running';
  if (fresh.kind === 'old') {
    const age = formatDuration(fresh.ageMs);
    return {
      ...quiet,
      status: 'warning',
      cause: `The newest data are ${age} old.`,
      consequence: 'What is shown below may have changed since.',
    };
  }
  if (phase === 'running' || phase === 'set-up') return null;
  return { ...quiet, ...PHASE_CAUSES[phase], consequence: state.snapshot?.reason ?? '' };
}

/** Findings of what the banner speaks of: config.ini, the agent, the age of its report, what it waits for. */
const OF_BANNER = /^(config|agent|snapshot|phase)-/;

/** Whether the Diagnostics screen says it too, as its first finding with more to do; then the banner there would repeat it. */
export const isBannerAFinding = (state: AppState, nowMs: number): boolean =>
  findingsOf(state, nowMs).some(({ id }) => OF_BANNER.test(id));
