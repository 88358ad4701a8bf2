import { EXIT } from '../../../agent/contract/exit-codes.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { formatDuration } from '../format.ts';
import { type Finding, sentence } from './finding.ts';

/** Longer than this in `starting` is worth a word (design: ready in about 1.5 s). */
const SLOW_START_MS = 10_000;
/** Older than this a snapshot is not the present any more (interface brief: 5 s). */
const STALE_MS = 5_000;

const EXIT_WORDS: Readonly<Record<number, { cause: string; remedy: string }>> = {
  [EXIT.stopped]: { cause: 'It stopped on request.', remedy: 'Restart it when this node should work again.' },
  [EXIT.configInvalid]: {
    cause: 'It found config.ini or its flags wrong.',
    remedy: 'Correct config.ini in the settings; it starts again by itself.',
  },
  [EXIT.schemaTooNew]: {
    cause: 'The database of the cluster was upgraded by a newer version of this program.',
    remedy: 'Install the version that the other nodes run on this machine.',
  },
  [EXIT.duplicateRefused]: {
    cause: 'Another run holds this storage gateway id or this data folder.',
    remedy: 'Stop the other run, or give this node a storage gateway id of its own.',
  },
  [EXIT.parentLost]: { cause: 'It lost the connection to this application.', remedy: 'Restart it.' },
  [EXIT.otherCluster]: {
    cause: 'The database belongs to another cluster.',
    remedy: 'Correct the database of the cluster in iconik, or the storage gateway id in the settings.',
  },
  [EXIT.schemaFailed]: {
    cause: 'The database of the cluster refused a change of its tables that this version needs.',
    remedy:
      'Mend what the database says, which its last words repeat; or go back to the version before on this machine.',
  },
  [EXIT.crash]: {
    cause: 'It crashed by a mistake in the program.',
    remedy: 'Restart it. If it happens again, read its last words below and the logs.',
  },
};

type Service = NonNullable<AppState['agent']['service']>;

const STATE_WORDS: Readonly<Record<AppState['agent']['state'], string>> = {
  stopped: 'The agent of this node is stopped.',
  starting: 'The agent of this node is still starting.',
  running: '',
  unresponsive: 'The agent of this node does not answer.',
  'backing-off': 'The agent of this node ended and is started again shortly.',
  stopping: 'The agent of this node is stopping.',
  'gave-up-for-now': 'The agent of this node keeps ending right after its start.',
};

/** Whether the agent is down because config.ini is wrong or missing, which is then the one finding. */
const isConfigTheCause = (state: AppState): boolean => state.config.status !== 'ok';

/** Problems of config.ini; they come first, since nothing else can be judged without it. Pure. */
export function configFindings(state: AppState): Finding[] {
  const { status, path, problems } = state.config;
  const nothingRuns =
    state.agent.state === 'running'
      ? 'The agent runs with what it read before.'
      : 'The agent does not run, so this node does no work.';
  if (status === 'absent') {
    return [
      {
        id: 'config-absent',
        severity: 'critical',
        cause: 'This node is not set up yet.',
        consequence: 'It is not connected to iconik and does no work.',
        remedy: 'Open the set-up assistant; it asks for what is needed and tests it.',
        actions: ['open-set-up'],
        evidence: [`There is no file ${path}.`],
      },
    ];
  }
  if (status === 'ok') return [];
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return [
    {
      id: 'config-invalid',
      severity: 'critical',
      cause: `config.ini has ${count}. ${sentence(problems[0] ?? '')}`.trim(),
      consequence: nothingRuns,
      remedy: 'Correct it in the settings; the agent starts again by itself when the file is right.',
      actions: ['open-settings', 'open-set-up'],
      evidence: [`File: ${path}`, ...problems],
    },
  ];
}

function agentEvidence({ agent }: AppState, nowMs: number): string[] {
  const facts = [`In this state for ${formatDuration(nowMs - agent.sinceMs)}.`];
  if (agent.lastExitCode !== null) facts.push(`Exit code of the last run: ${agent.lastExitCode}.`);
  if (agent.nextStartMs !== null) facts.push(`Next start in ${formatDuration(agent.nextStartMs - nowMs)}.`);
  if (agent.lastWords.length > 0) facts.push('Last words:', ...agent.lastWords);
  return facts;
}

/** What is wrong with the agent itself. Pure. Empty when config.ini explains it or the agent runs. */
export function agentFindings(state: AppState, nowMs: number): Finding[] {
  const { agent } = state;
  if (agent.state === 'running') return staleFindings(state, nowMs);
  if (isConfigTheCause(state)) return [];
  if (agent.state === 'starting' && nowMs - agent.sinceMs < SLOW_START_MS) return [];
  const exit = agent.lastExitCode === null ? undefined : EXIT_WORDS[agent.lastExitCode];
  if (agent.service !== undefined) return [serviceFinding(agent, agent.service)];
  const isMoving = agent.state === 'starting' || agent.state === 'stopping';
  const why = agent.reason === '' ? (exit?.cause ?? '') : sentence(agent.reason);
  return [
    {
      id: `agent-${agent.state}`,
      severity: isMoving ? 'warning' : 'critical',
      cause: `${STATE_WORDS[agent.state]} ${why}`.trim(),
      consequence: isMoving
        ? 'This node does no work until it runs.'
        : 'This node does no work; other nodes of the cluster take over its jobs and its leadership.',
      remedy: isMoving
        ? 'Wait a moment; if it stays so, read the logs.'
        : (exit?.remedy ?? 'Restart the agent. If that does not help, read the logs.'),
      actions: isMoving ? ['open-logs'] : ['restart-agent', 'open-logs', 'open-log-folder'],
      evidence: agentEvidence(state, nowMs),
    },
  ];
}

/** The reason says what to do as well: who may do it is no user of this application, most of the time. */
function serviceFinding({ state, reason }: AppState['agent'], { at, sentence: words, restart }: Service): Finding {
  const mayWork = at === 'forbidden' || at === 'other-version' || at === 'attached';
  return {
    id: `agent-service-${at}`,
    severity: 'critical',
    cause: `${words} ${reason}`,
    consequence: mayWork
      ? 'The node may well work; how it stands is not known here.'
      : 'This node does no work; other nodes of the cluster take over its jobs and its leadership.',
    remedy: state === 'backing-off' ? 'This application connects by itself when the service is back.' : '',
    actions: restart === null ? ['open-logs'] : ['restart-agent', 'open-logs'],
    evidence: [],
  };
}

function staleFindings(state: AppState, nowMs: number): Finding[] {
  const ageMs = nowMs - (state.snapshot?.atMs ?? state.agent.sinceMs);
  if (ageMs <= STALE_MS) return [];
  const never = state.snapshot === null;
  return [
    {
      id: 'snapshot-stale',
      severity: 'warning',
      cause: never
        ? `The agent runs but has reported nothing for ${formatDuration(ageMs)}.`
        : `The last report of the agent is ${formatDuration(ageMs)} old.`,
      consequence: never ? 'The state of this node is unknown.' : 'What is said below may not be true any more.',
      remedy: 'Wait a moment; if it stays so, restart the agent.',
      actions: ['restart-agent', 'open-logs'],
      evidence: [],
    },
  ];
}
