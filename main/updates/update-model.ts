/** The words of an update's life (README.md). Pure. */

/** What is known of the node at one instant. */
export interface NodeFacts {
  /** Monotonic, milliseconds. */
  nowMs: number;
  /**
   * `up`: a running node; `set-up`: an agent that is no node yet; `waiting`: one whose node has not begun, because iconik or
   * the database is away; `unclear`: one that may lead and run jobs, unheard; `down`: none runs; `outdated`: none runs, since
   * the database asks for a newer version.
   */
  agent: 'up' | 'set-up' | 'waiting' | 'unclear' | 'down' | 'outdated';
  /** Whether the agent ended because the database refused the changes of its tables that this version needs. */
  isRefused: boolean;
  /** Jobs running on this node. */
  jobs: number;
  isLeading: boolean;
  isPaused: boolean;
  /** Whether now is an hour in which updates may install themselves. */
  isInWindow: boolean;
  /** Whether the program can be replaced without somebody who confirms it at the screen. */
  canInstallAlone: boolean;
}

/** What a version that is ready waits for. `node` names the other node, where there is one. */
export interface Wait {
  for:
    | 'nothing'
    | 'jobs'
    | 'leads'
    | 'another-updates'
    | 'failed-elsewhere'
    | 'skips-release'
    | 'not-available'
    | 'failed-here'
    | 'window'
    | 'postponed'
    | 'needs-person'
    | 'agent-down'
    | 'trouble';
  node: string;
}

/** A version that is ready and waits. */
export interface Waiting {
  state: 'waiting';
  version: string;
  isAsked: boolean;
  wait: Wait;
  /** Since when only jobs have been in the way; null when they are not. */
  jobsSinceMs: number | null;
  /** The cluster is not asked for the turn before. */
  claimAtMs: number;
  isClaiming: boolean;
  /** Why there are to be no updates any more; said while it was claiming, whose answer it waits for. Else null. */
  offWhy: string | null;
  postponedUntilMs: number | null;
  /** It did not start here, or was not installed, an earlier time. */
  hasFailedHere: boolean;
  nextCheckMs: number;
}

/** A node that comes to rest before it installs. */
export interface Draining {
  state: 'draining';
  version: string;
  isAsked: boolean;
  /** Null: there is no cluster to ask. */
  turn: number | null;
  sinceMs: number;
  heldMs: number;
  /** Whether it was paused before, and stays so when nothing comes of the update. */
  wasPaused: boolean;
  hasFailedHere: boolean;
  /** Since when it has been at rest; null while it is not. */
  calmSinceMs: number | null;
  isClearing: boolean;
}

/** Where an update stands. */
export type UpdateState =
  | { state: 'off'; why: string }
  /** `notInstalled`: the version of which `why` tells that it could not be installed. */
  | { state: 'idle'; why: string; nextCheckMs: number; notInstalled?: string }
  | { state: 'checking' }
  | { state: 'downloading'; version: string; percent: number }
  | { state: 'ready'; version: string; hasFailedHere: boolean }
  | Waiting
  | Draining
  | { state: 'installing'; version: string; turn: number | null; wasPaused: boolean }
  | {
      state: 'confirming';
      version: string;
      turn: number | null;
      /** Whether the version before it was kept. */
      canGoBack: boolean;
      untilMs: number;
      heldMs: number;
      /** Since when the agent has been there, and since when it has waited for iconik or the database; null while it does not. */
      upSinceMs: number | null;
      waitingSinceMs: number | null;
    }
  | { state: 'rolling-back'; version: string; turn: number | null; why: string };

/** What happens to it. */
export type UpdateEvent =
  | { kind: 'tick' }
  | { kind: 'feed-on' }
  | { kind: 'feed-off'; why: string }
  | { kind: 'check-asked' }
  | { kind: 'found'; version: string }
  | { kind: 'none' }
  | { kind: 'failed'; why: string }
  | { kind: 'progress'; percent: number }
  | { kind: 'downloaded'; version: string; hasFailedHere: boolean }
  | { kind: 'install-asked' }
  | { kind: 'postponed' }
  | { kind: 'claimed'; turn: number }
  | { kind: 'refused'; wait: Wait }
  | { kind: 'cleared' }
  /** The turn is another's. */
  | { kind: 'turn-lost' }
  /** Whose it is could not be heard. */
  | { kind: 'hold-failed' }
  | { kind: 'install-failed'; why: string }
  | { kind: 'roll-back-failed' };

/** What is to be done. */
export type UpdateCommand =
  | { do: 'check' }
  | { do: 'download' }
  | { do: 'claim'; version: string; isAsked: boolean }
  | { do: 'pause' }
  | { do: 'resume' }
  /** Renews the turn; with `isInstalling` answers `cleared`, `turn-lost` or `hold-failed`. */
  | { do: 'hold'; turn: number; isInstalling: boolean }
  | { do: 'report'; turn: number | null; outcome: 'given-up' | 'installed' | 'failed'; version: string }
  | { do: 'install'; version: string; turn: number | null }
  | { do: 'confirm'; version: string }
  | { do: 'roll-back'; version: string; why: string }
  /** What the installation stopped runs again. */
  | { do: 'start-agent' };

/** A state and what led out of the one before. */
export interface UpdateStep {
  state: UpdateState;
  commands: UpdateCommand[];
}

const HOUR_MS = 3_600_000;
/** Milliseconds. */
export const MINUTE_MS = 60_000;
/** Limits, milliseconds. */
export const UPDATE_LIMITS = {
  /** A node that is never without jobs stops taking new ones after this long. */
  patienceMs: 30 * MINUTE_MS,
  /** For running jobs to end by themselves; then the node works on, and the patience begins anew. */
  drainMs: 30 * MINUTE_MS,
  /** The same when a person asked; then they are handed back to the queue. */
  askedDrainMs: MINUTE_MS,
  /** Between two requests for the turn. */
  claimMs: 15_000,
  /** Between two renewals of the turn; a fraction of what others wait for. */
  holdMs: 30_000,
  /** At rest for this long: a job that was being claimed when the node was paused has shown itself by then. */
  calmMs: 2_000,
  postponeMs: 24 * HOUR_MS,
  /** For a new version to get its agent up. */
  confirmMs: 10 * MINUTE_MS,
  /** It counts as up when it has stayed up for this long. */
  stableMs: 20_000,
  /** It counts as up, too, when it has waited for iconik or the database for this long: bringing the tables takes time, and may fail. */
  waitingMs: 5 * MINUTE_MS,
} as const;

/** What a step needs besides: how often the feed is looked at, milliseconds. */
export interface UpdateSettings {
  checkMs: number;
}

/** Nothing is to be done. */
export const stay = (state: UpdateState): UpdateStep => ({ state, commands: [] });
