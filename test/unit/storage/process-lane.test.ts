import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { IsgError } from '../../../agent/runtime/errors.ts';
import { IsgError as OwnError } from '../../../agent/runtime/errors.ts';
import { ProcessLane } from '../../../agent/storage/process-lane.ts';
import type { StorageProcess } from '../../../agent/storage/storage-process.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A process on a hung mount: it answers nothing, and killing it only makes it one that is leaving. */
function stuckProcess() {
  const gone = Promise.withResolvers<void>();
  const calls = new Set<(error: IsgError) => void>();
  const stuck = {
    isReady: true,
    isEnding: false,
    ended: gone.promise,
    die: () => gone.resolve(),
    get callsInFlight() {
      return calls.size;
    },
    run: () => new Promise((_resolve, reject) => calls.add(reject)),
    kill: (error: IsgError) => {
      stuck.isEnding = true;
      for (const reject of calls) reject(error);
      calls.clear();
    },
  };
  return stuck;
}

it('has at most two processes that were killed and do not die, and starts another when one of them is gone', async () => {
  const started: ReturnType<typeof stuckProcess>[] = [];
  const lane = new ProcessLane({
    maxProcesses: 1,
    callsPerProcess: Number.POSITIVE_INFINITY,
    idleMs: null,
    maxAbandoned: 2,
    start: () => {
      const made = stuckProcess();
      started.push(made);
      return made as unknown as StorageProcess;
    },
  });
  const late = new OwnError('storage-hung', 'late', { retry: 'transient' });
  const probe = async () => {
    const answer = lane
      .run('probe', { testWrite: false }, { markerExpected: false, killAfterCancel: false })
      .catch((thrown: unknown) => thrown);
    await vi.advanceTimersByTimeAsync(1_000);
    lane.killAll(late);
    return answer;
  };
  for (let round = 0; round < 5; round++) expect(await probe()).toMatchObject({ code: 'storage-hung' });
  expect(started).toHaveLength(2);
  started[0]?.die();
  expect(await probe()).toBe(late);
  expect(started).toHaveLength(3);
});

it('shows life for a call that waits for its turn, until it has it', async () => {
  const busy = stuckProcess();
  const start = () => busy as unknown as StorageProcess;
  const lane = new ProcessLane({ maxProcesses: 1, callsPerProcess: 1, idleMs: null, maxAbandoned: 2, start });
  const signs: string[] = [];
  const call = (name: string) =>
    lane
      .run(
        'probe',
        { testWrite: false },
        { markerExpected: false, killAfterCancel: false, onProgress: (bytes) => signs.push(`${name} ${bytes}`) },
      )
      .catch(() => undefined);
  const calls = [call('first'), call('second')];
  await vi.advanceTimersByTimeAsync(35_000);
  expect(signs).toEqual(['second 0', 'second 0', 'second 0']);
  const stopped = lane.stop(0);
  busy.die();
  await vi.advanceTimersByTimeAsync(30_000);
  await Promise.all([...calls, stopped]);
  expect(signs).toHaveLength(3);
});

it('gives calls to idle processes, then to new ones, then to the least busy, and lets the rest wait', async () => {
  const started: ReturnType<typeof stuckProcess>[] = [];
  const lane = new ProcessLane({
    maxProcesses: 2,
    callsPerProcess: 2,
    idleMs: null,
    maxAbandoned: 2,
    start: () => {
      const made = stuckProcess();
      started.push(made);
      return made as unknown as StorageProcess;
    },
  });
  const calls = Array.from({ length: 5 }, () =>
    lane
      .run('probe', { testWrite: false }, { markerExpected: false, killAfterCancel: false })
      .catch((thrown: unknown) => thrown),
  );
  await vi.advanceTimersByTimeAsync(0);
  expect(started.map((process) => process.callsInFlight)).toEqual([2, 2]);
  const stopped = lane.stop(0);
  for (const process of started) process.die();
  await vi.advanceTimersByTimeAsync(0);
  await stopped;
  for (const answer of await Promise.all(calls)) expect(answer).toMatchObject({ code: 'stopped' });
});
