import { openSync, writeSync } from 'node:fs';

/** Facts of one event; never secrets. */
export type HistoryFacts = Readonly<Record<string, unknown>>;

/**
 * A record of what a process did and when, so that a checker can prove afterwards that several processes kept their
 * promises to each other. What is said is on its way to the file before `say` returns: a SIGKILL loses nothing said.
 */
export interface History {
  /** Monotonic milliseconds that mean the same in all processes of this machine until it boots again. */
  nowMs(): number;
  /** Notes that something happened now; `startMs` among the facts says when it began. */
  say(kind: string, facts: HistoryFacts): void;
}

/** Monotonic milliseconds shared by all processes of this machine; also what a test compares its own actions with. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * A history in a file of JSON lines, opened for appending, so that several processes may share it. `source` stands in
 * every line. `say` writes synchronously and throws what the file system throws: a history with holes proves nothing.
 */
export function openHistory(path: string, source: HistoryFacts): History {
  const file = openSync(path, 'a', 0o640);
  return {
    nowMs: machineMs,
    say: (kind, facts) => {
      writeSync(file, `${JSON.stringify({ ...source, kind, ...facts, atMs: machineMs() })}\n`);
    },
  };
}

/**
 * Runs a call and notes when it began and ended and what came of it: `told` makes facts of its value; a call that throws
 * is noted with `failed` (the code of the error, or its name) and throws on.
 */
export async function noteCall<T>(
  history: History,
  kind: string,
  call: () => Promise<T>,
  told: (value: T) => HistoryFacts,
): Promise<T> {
  const startMs = history.nowMs();
  try {
    const value = await call();
    history.say(kind, { startMs, ...told(value) });
    return value;
  } catch (thrown) {
    const code: unknown = thrown instanceof Error ? Reflect.get(thrown, 'code') : undefined;
    history.say(kind, { startMs, failed: typeof code === 'string' ? code : 'unknown' });
    throw thrown;
  }
}
