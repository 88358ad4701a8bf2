/** Durations and bounds of the supervision, milliseconds unless named otherwise. Each says which failure it guards against. */

/** How often silence is measured while something may be wrong. Small against the shortest limit below. */
export const TICK_MS = 250;
/**
 * A tick that comes this much later than planned means that main itself stood still (busy, or the machine slept). Beats
 * may be waiting unread then, so that interval proves nothing about the agent and is not counted.
 */
export const LATE_MS = 1_000;
/** From spawn to `hello`. A healthy agent needs less than a second; a cold disk with a virus scanner needs many. */
export const START_LIMIT_MS = 20_000;
/** Silence of the main loop after which the agent is shown as unresponsive: four beats. With a beat on its way, below 3 s. */
export const UNRESPONSIVE_MS = 2_250;
/** Silence of the main loop after which the agent is replaced. Long garbage collections and slow disks end before. */
export const LOOP_SILENCE_LIMIT_MS = 15_000;
/** Silence of every thread: the whole process is frozen, which no load explains. */
export const THREAD_SILENCE_LIMIT_MS = 5_000;
/**
 * From the request to stop until SIGTERM: time to release the leadership and to let go of jobs. Longer than the agent gives
 * itself (20 s), because ended earlier it leaves jobs leased, and on Windows the signal ends it at once.
 */
export const STOP_ASK_MS = 22_000;
/** The same for an agent that did not answer before: it will hardly hear the request. */
export const STOP_ASK_UNRESPONSIVE_MS = 2_000;
/** From SIGTERM to SIGKILL, and between repeated SIGKILLs. */
export const STOP_TERM_MS = 5_000;
/** Running this long counts as a success: the back-off begins anew. */
export const STABLE_MS = 60_000;

/** Back-off: first wait, factor, longest wait. At the longest wait the host is said to have given up for now. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_FACTOR = 2.5;
export const BACKOFF_LONGEST_MS = 60_000;
/** Jitter lengthens a wait by at most this share, and never shortens one: the bound on starts must hold. */
const BACKOFF_JITTER = 0.2;

/** At most this many starts within the window, whatever the reason, except those that a person asks for. */
export const SPAWN_BUDGET = 15;
export const SPAWN_WINDOW_MS = 600_000;

/**
 * Wait before the start that follows `failures` failures in a row (1 = the first): 0.5 s × 2.5 each time, up to 60 s, with
 * up to a fifth on top. `random` is uniform in [0, 1).
 */
export function restartWaitMs(failures: number, random: number): number {
  const nominal = Math.min(BACKOFF_LONGEST_MS, BACKOFF_FIRST_MS * BACKOFF_FACTOR ** Math.min(failures - 1, 20));
  return Math.round(nominal * (1 + BACKOFF_JITTER * random));
}

/** Whether the wait after so many failures has reached its longest value. */
export function isLongestWait(failures: number): boolean {
  return restartWaitMs(failures, 0) >= BACKOFF_LONGEST_MS;
}
