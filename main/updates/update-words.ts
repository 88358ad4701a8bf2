import type { UpdateView } from '../../preload/contract/app-state.ts';
import type { UpdateState, Wait } from './update-model.ts';

/** An update in words, for window and tray. Pure. */

/** What the window and the tray are told. */
export function updateView(state: UpdateState, last: UpdateView['last']): UpdateView {
  const version = versionOf(state);
  const isAsked = 'isAsked' in state && state.isAsked;
  const percent = state.state === 'downloading' ? Math.round(state.percent) : 0;
  return { state: state.state, version, percent, why: whyOf(state), isAsked, last };
}

function versionOf(state: UpdateState): string | null {
  if (state.state === 'idle') return state.notInstalled ?? null;
  return 'version' in state ? state.version : null;
}

/** The version that is ready to install; null when none is. */
export function readyVersion(state: UpdateState): string | null {
  return state.state === 'ready' || state.state === 'waiting' || state.state === 'draining' ? state.version : null;
}

function whyOf(state: UpdateState): string {
  switch (state.state) {
    case 'off':
    case 'idle':
    case 'rolling-back':
      return state.why;
    case 'waiting':
      return state.isClaiming || state.wait.for === 'nothing' ? '' : WAITS[state.wait.for](state.wait.node);
    case 'draining':
      return state.isAsked
        ? 'This node takes no new jobs, hands over what it leads, and gives running jobs a minute to end.'
        : 'This node takes no new jobs, hands over what it leads, and waits for running jobs to end.';
    case 'confirming':
      return state.canGoBack
        ? 'The new version is being tried: its agent must be up within 10 minutes, or the old version comes back.'
        : 'The new version is being tried. The old one could not be kept on this computer: if the agent is not up within 10 minutes, install it by hand.';
    case 'checking':
    case 'downloading':
    case 'ready':
    case 'installing':
      return '';
  }
}

const WAITS: Readonly<Record<Exclude<Wait['for'], 'nothing'>, (node: string) => string>> = {
  jobs: () => 'It will be installed when no job runs on this node, or when the running ones have ended.',
  leads: (node) => `It will be installed when ${node} has this version: the leading node is updated last.`,
  'another-updates': (node) =>
    `It will be installed when ${node === '' ? 'another node' : node} is done: nodes are updated one at a time.`,
  'failed-elsewhere': (node) => `It is not installed by itself, because it did not start on ${node}.`,
  'skips-release': (node) =>
    `It is not installed by itself, because it skips a release that ${node} does not have yet and might stop ${node}. Install the release in between first, or choose to install now; ${node} then has to follow at once.`,
  'not-available': (node) =>
    `It will be installed when ${node} works again: that node has this version and is not well, or is paused.`,
  'failed-here': () =>
    'It is not installed by itself, because it did not start on this node or was not installed before.',
  window: () => 'It will be installed in the hours that update-window in config.ini allows.',
  postponed: () => 'It will be installed tomorrow at the earliest.',
  'needs-person': () => 'It is not installed by itself, because this computer asks for an administrator.',
  'agent-down': () => 'It will be installed when the agent of this node runs and reaches iconik and the database.',
  trouble: () => 'It could not be installed just now and is tried again.',
};
