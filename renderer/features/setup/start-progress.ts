import type { AppState } from '../../../preload/contract/app-state.ts';

/** One thing the last step waits for. */
export interface StartStage {
  label: string;
  status: 'done' | 'waiting' | 'failed' | 'ahead';
  /** Why it waits or failed, in words; empty otherwise. */
  detail: string;
}

/** How far the node has come since config.ini was written. */
export interface StartProgress {
  stages: StartStage[];
  /** One sentence for the top of the step. */
  sentence: string;
  isRunning: boolean;
  /** True when waiting alone will not help. */
  needsPerson: boolean;
}

const LABELS = ['config.ini is written', 'The agent runs', 'iconik answers', 'The database is ready', 'The node works'];

/** Index of the first stage that is not done, and why. */
interface Reached {
  at: number;
  detail: string;
  isFailure: boolean;
}

function reached(state: AppState | null, writtenMs: number): Reached {
  if (state === null) return { at: 1, detail: '', isFailure: false };
  const { agent, config, snapshot } = state;
  if (config.status === 'invalid') return { at: 1, detail: config.problems.join(' '), isFailure: true };
  const isNew = agent.sinceMs >= writtenMs;
  const isDown = agent.state === 'gave-up-for-now' || agent.state === 'stopped';
  if (isNew && (isDown || agent.state === 'backing-off' || agent.state === 'unresponsive')) {
    return { at: 1, detail: agent.reason, isFailure: isDown };
  }
  // an agent that was started before speaks of the old configuration
  if (agent.state !== 'running' || !isNew) return { at: 1, detail: isNew ? agent.reason : '', isFailure: false };
  if (snapshot === null || snapshot.node.startedMs < writtenMs) return { at: 2, detail: '', isFailure: false };
  switch (snapshot.phase) {
    case 'set-up':
    case 'waiting-for-iconik':
      return { at: 2, detail: snapshot.reason, isFailure: false };
    case 'waiting-for-database':
      return { at: 3, detail: snapshot.reason, isFailure: false };
    case 'stopping':
      return { at: 4, detail: snapshot.reason, isFailure: false };
    case 'running':
      return snapshot.status.availability === 'duplicate'
        ? { at: 4, detail: snapshot.status.reason, isFailure: true }
        : { at: LABELS.length, detail: '', isFailure: false };
    default:
      return snapshot.phase satisfies never;
  }
}

function runningSentence(state: AppState | null): string {
  const snapshot = state?.snapshot;
  if (!snapshot) return 'This node runs.';
  const storages = snapshot.storages.length === 1 ? 'one storage' : `${snapshot.storages.length} storages`;
  const where = snapshot.cluster.name === '' ? '' : ` in the cluster ${snapshot.cluster.name}`;
  const [only] = snapshot.storages.length === 1 ? snapshot.storages : [];
  const then = only?.scans ? ` What is put into ${only.mountPoint} appears in iconik by itself.` : '';
  return `${snapshot.node.name || 'This node'} runs${where} and serves ${storages}.${then}`;
}

/** Derives the last step from the state. Pure. `writtenMs` is when config.ini was written, by this machine. */
export function startProgress(state: AppState | null, writtenMs: number): StartProgress {
  const { at, detail, isFailure } = reached(state, writtenMs);
  const stages = LABELS.map((label, index): StartStage => {
    if (index < at) return { label, status: 'done', detail: '' };
    if (index > at) return { label, status: 'ahead', detail: '' };
    return { label, status: isFailure ? 'failed' : 'waiting', detail };
  });
  const isRunning = at === LABELS.length;
  const waiting = `config.ini is written; waiting for the node to start.`;
  const sentence = isRunning
    ? runningSentence(state)
    : isFailure
      ? 'config.ini is written, but the node cannot work with it yet.'
      : waiting;
  return { stages, sentence, isRunning, needsPerson: isFailure };
}
