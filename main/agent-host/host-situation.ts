/**
 * What the supervisor's state machine may be in, hear and command. The machine itself is `host-state.ts`; states, edges and
 * invariants are drawn in the README, which a test compares with `HOST_EDGES`.
 */

/** How a run ended. */
export interface RunEnd {
  /** Exit code; null when a signal ended the process, or when it could not be started. */
  code: number | null;
  signal: string | null;
  /** Whether the platform tells exit codes and signals apart. A utility process on POSIX does not: an abort is a "6" there. */
  isCodeCertain: boolean;
  /** Why the process could not be started at all; null otherwise. */
  startError: string | null;
}

/** Why nothing runs and nothing is planned. The first two are no failures. */
export type StopWhy = 'never-started' | 'asked' | 'config-invalid' | 'schema-too-new' | 'other-cluster' | 'protocol';

/** Why the agent is being ended. */
export type EndWhy = 'asked' | 'no-hello' | 'loop-silent' | 'process-silent' | 'protocol';

/** How long the agent has been silent, as far as main was awake to hear it. `…CountedMs`: counted up to this instant. */
export interface Silence {
  loopMs: number;
  loopCountedMs: number;
  threadMs: number;
  threadCountedMs: number;
  /** Whether the beat thread has been heard and is connected; without it only the main loop's silence means anything. */
  hasThread: boolean;
}

/** What the machine is in. `sinceMs` is the time of entry. */
export type Situation =
  | { state: 'stopped'; sinceMs: number; why: StopWhy }
  | { state: 'starting'; sinceMs: number; waitedMs: number; countedMs: number }
  | { state: 'running'; sinceMs: number; silence: Silence; helloMs: number }
  | { state: 'unresponsive'; sinceMs: number; silence: Silence; helloMs: number }
  | { state: 'backing-off'; sinceMs: number; untilMs: number }
  | { state: 'gave-up-for-now'; sinceMs: number; untilMs: number }
  | {
      state: 'stopping';
      sinceMs: number;
      why: EndWhy;
      /** What follows the exit: nothing, a start at once (asked for), or the usual way of a failure. */
      afterwards: 'stop' | 'start' | 'fail';
      /** Harshest means used so far. */
      means: 'ask' | 'terminate' | 'kill';
      /** Counted time in which the next, harsher means is used. */
      leftMs: number;
      countedMs: number;
    };

/** Name of a state. */
export type HostStateName = Situation['state'];

/** The machine's state: where it is, and what it remembers across runs. */
export type HostState = Situation & {
  /** Failures in a row; a stable run or a person's request sets it to 0. */
  failures: number;
  /** Times of the starts within the last window. */
  spawnedMs: readonly number[];
  /** End of the last run that failed, and why it was ended if it did not end by itself; null when none did. */
  lastEnd: (RunEnd & { endedFor: EndWhy | null }) | null;
  /** Why the agent ended its last run, in its own words; null when it did not say. */
  goodbye: { code: number; reason: string } | null;
};

/** What may happen. `nowMs` is monotonic, `random` uniform in [0, 1). */
export type HostEvent = { nowMs: number } & (
  | { kind: 'start-asked' }
  | { kind: 'restart-asked' }
  | { kind: 'stop-asked' }
  /** config.ini was changed: what stopped the agent may be mended. */
  | { kind: 'config-changed' }
  | { kind: 'hello'; protocol: number }
  /** Any sign that the main loop turned: a message, or its counter moved. */
  | { kind: 'beat-loop' }
  /** A line of the beat thread. */
  | { kind: 'beat-thread' }
  /** The beat thread's connection closed. */
  | { kind: 'thread-lost' }
  | { kind: 'goodbye'; code: number; reason: string }
  | { kind: 'exited'; end: RunEnd; random: number }
  | { kind: 'tick'; mainWasLate: boolean }
);

/** What the runner is to do. `wake` = a tick at this monotonic time. */
export type HostCommand =
  | { kind: 'spawn' }
  | { kind: 'ask-stop' }
  | { kind: 'terminate' }
  | { kind: 'kill' }
  | { kind: 'wake'; atMs: number };

/** Result of one event. */
export interface HostStep {
  state: HostState;
  commands: HostCommand[];
}

/** Every edge of the machine. */
export const HOST_EDGES: Record<HostStateName, readonly HostStateName[]> = {
  stopped: ['starting', 'gave-up-for-now'],
  starting: ['running', 'stopping', 'stopped', 'backing-off', 'gave-up-for-now'],
  running: ['unresponsive', 'stopping', 'stopped', 'backing-off', 'gave-up-for-now'],
  unresponsive: ['running', 'stopping', 'stopped', 'backing-off', 'gave-up-for-now'],
  'backing-off': ['starting', 'stopped'],
  'gave-up-for-now': ['starting', 'stopped'],
  stopping: ['starting', 'stopped', 'backing-off', 'gave-up-for-now'],
};
