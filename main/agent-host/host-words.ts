import { EXIT } from '../../agent/contract/index.ts';
import type { AgentState } from '../../preload/contract/app-state.ts';
import type { EndWhy, HostState } from './host-situation.ts';

/** Puts the supervisor's state into words for people: what happened, what comes next, what to do. Pure. */

/** What the words need besides the machine's state. */
export interface WordSources {
  /** Wall clock minus monotonic clock, milliseconds: turns the machine's times into times for display. */
  wallOffsetMs: number;
  /** Last lines of the agent's standard error, oldest first. */
  lastWords: readonly string[];
}

const IS_ENDED_FOR: Record<EndWhy, string> = {
  asked: 'The agent is stopping: it finishes or gives back what it is working on.',
  'no-hello': 'The agent did not answer within 20 seconds of its start. It is being ended and will be started again.',
  'loop-silent': 'The agent was stuck for 15 seconds. It is being ended and will be started again.',
  'process-silent': 'The agent was frozen for 5 seconds. It is being ended and will be started again.',
  protocol: 'The agent belongs to another version of ISG Pro. It is being ended.',
};

const WAS_ENDED_FOR: Record<EndWhy, string> = {
  asked: 'The agent was stopped on request.',
  'no-hello': 'The agent did not answer within 20 seconds of its start and was ended.',
  'loop-silent': 'The agent was stuck for 15 seconds and was ended.',
  'process-silent': 'The agent was frozen for 5 seconds and was ended.',
  protocol: 'The agent belongs to another version of ISG Pro and was ended.',
};

const PROTOCOL_WORDS =
  'The agent belongs to another version of ISG Pro than this application, so this node does no work. Install ISG Pro again, then restart the agent.';

/** Lines of a stack or of the runtime's own dump: they say where, not what. */
const NOISE = /^\s*(at |\d+: |-+ |<-|#|Node\.js v|\^)|^\W*$/;

/** The last thing the agent said about itself: its goodbye, else the last error (or line that says something) it wrote. */
function ownWords(state: HostState, lastWords: readonly string[]): string {
  if (state.goodbye !== null && state.goodbye.reason !== '') return sentence(state.goodbye.reason);
  const said = lastWords.filter((line) => !NOISE.test(line));
  const spoken = said.findLast((line) => /error|fatal/i.test(line)) ?? said.at(-1);
  return spoken === undefined ? '' : sentence(spoken.trim());
}

function sentence(text: string): string {
  return /[.?:]$/.test(text) ? text : `${text}.`;
}

function join(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

function endWords(end: HostState['lastEnd']): string {
  if (end === null) return 'The agent ended.';
  if (end.endedFor !== null) return WAS_ENDED_FOR[end.endedFor];
  if (end.startError !== null) return `The agent could not be started: ${sentence(end.startError)}`;
  if (end.signal !== null) return `The agent was ended by the system or by a person (${end.signal}).`;
  switch (end.code) {
    case EXIT.stopped:
      return 'The agent stopped without being asked to.';
    case EXIT.duplicateRefused:
      return 'Another agent holds the storage gateway id or the data folder of this node.';
    case EXIT.parentLost:
      return 'The agent lost its connection to this application.';
    case EXIT.schemaFailed:
      return 'The database of the cluster refused a change of its tables that this version needs.';
    case EXIT.crash:
      return 'The agent ended because of a mistake in the program.';
    default:
      return `The agent ended unexpectedly (code ${end.code ?? 'unknown'}).`;
  }
}

function stoppedWords(state: Extract<HostState, { state: 'stopped' }>, lastWords: readonly string[]): string {
  switch (state.why) {
    case 'never-started':
      return 'The agent has not been started yet.';
    case 'asked':
      return 'The agent was stopped on request. This node does no work until it is started again.';
    case 'config-invalid':
      return join(
        'The agent cannot run because its configuration is wrong; it starts again when config.ini is changed.',
        ownWords(state, lastWords),
      );
    case 'schema-too-new':
      return join(
        'The database of the cluster needs a newer version of ISG Pro. This node does no work until ISG Pro is updated and the agent restarted.',
        ownWords(state, lastWords),
      );
    case 'other-cluster':
      return join(
        'The database belongs to another cluster, so this node does no work. Correct the database address of the cluster, then restart the agent.',
        ownWords(state, lastWords),
      );
    case 'protocol':
      return PROTOCOL_WORDS;
  }
}

function reasonOf(state: HostState, lastWords: readonly string[]): string {
  switch (state.state) {
    case 'running':
      return '';
    case 'starting':
      return state.failures === 0
        ? 'The agent is starting.'
        : join('The agent is being started again.', endWords(state.lastEnd));
    case 'unresponsive':
      return 'The agent does not answer. If it stays silent it is replaced within 15 seconds; work in progress is taken up again.';
    case 'stopping':
      return state.means === 'kill' && state.why === 'asked'
        ? 'The agent did not stop when asked and is being ended.'
        : IS_ENDED_FOR[state.why];
    case 'backing-off':
      return join(endWords(state.lastEnd), ownWords(state, lastWords), 'It is started again shortly.');
    case 'gave-up-for-now':
      return join(
        'The agent ended again and again; it is tried once a minute.',
        endWords(state.lastEnd),
        ownWords(state, lastWords),
        'Open the logs for the cause, or restart the agent when it is mended.',
      );
    case 'stopped':
      return stoppedWords(state, lastWords);
  }
}

/** The state as tray and window show it. */
export function agentStateOf(state: HostState, sources: WordSources): AgentState {
  const waits = state.state === 'backing-off' || state.state === 'gave-up-for-now';
  return {
    state: state.state,
    reason: reasonOf(state, sources.lastWords),
    sinceMs: Math.round(state.sinceMs + sources.wallOffsetMs),
    nextStartMs: waits ? Math.round(state.untilMs + sources.wallOffsetMs) : null,
    lastExitCode: state.lastEnd?.endedFor === null ? state.lastEnd.code : null,
    lastWords: [...sources.lastWords],
  };
}
