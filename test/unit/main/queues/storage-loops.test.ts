import { describe, expect, it } from 'vitest';
import { createFailureLog } from '../../../../agent/roles/main/queues/failure-log.ts';
import { runStorageLoops, WakeableWait } from '../../../../agent/roles/main/queues/storage-loops.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { IsgError } from '../../../../agent/runtime/errors.ts';
import { createLogger, type LogRecord } from '../../../../agent/runtime/logger.ts';

const FOREVER_MS = 1_000_000;

describe('WakeableWait', () => {
  it('ends when woken, also when the wake came before the wait', async () => {
    const wait = new WakeableWait(systemClock);
    const { signal } = new AbortController();
    const waiting = wait.wait(FOREVER_MS, signal);
    wait.wake();
    expect(await waiting).toBe(true);
    wait.wake();
    expect(await wait.wait(FOREVER_MS, signal)).toBe(true);
    expect(await wait.wait(0, signal)).toBe(false);
  });

  it('ends with the signal', async () => {
    const stop = new AbortController();
    const waiting = new WakeableWait(systemClock).wait(FOREVER_MS, stop.signal);
    stop.abort();
    expect(await waiting).toBe(false);
  });
});

describe('runStorageLoops', () => {
  it('lets a storage that hangs or throws cost no other storage, and ends with the leadership', async () => {
    const stop = new AbortController();
    const leadership = { term: 1, runId: 'run', signal: stop.signal, assertTrusted: () => {} };
    const crashed: string[] = [];
    const hung = (signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    let wellRan = () => {};
    const wellHasRun = new Promise<void>((resolve) => {
      wellRan = resolve;
    });
    const running = runStorageLoops({
      leadership,
      clock: systemClock,
      storageIds: () => ['hung', 'broken', 'well'],
      onCrash: (storageId) => crashed.push(storageId),
      async loop(storageId, signal) {
        if (storageId === 'broken') throw new Error('broken');
        if (storageId === 'well') wellRan();
        await hung(signal);
      },
    });
    await wellHasRun;
    stop.abort();
    await running;
    expect(crashed).toEqual(['broken']);
  });
});

describe('createFailureLog', () => {
  it('says the same failure once, another one anew, and the recovery with the count', () => {
    const records: LogRecord[] = [];
    const log = createFailureLog(createLogger([(record) => records.push(record)], () => 0));
    const away = new IsgError('iconik-unreachable', 'no answer', { retry: 'transient' });
    for (let i = 0; i < 5; i += 1) log.failed('k', 'It does not work', away);
    log.failed('k', 'It does not work', new IsgError('iconik-forbidden', 'not allowed', { retry: 'permanent' }));
    log.worked('k');
    log.worked('k');
    const heard = records.filter((record) => record.level !== 'debug').map((record) => record.message);
    expect(heard).toEqual([
      'It does not work: no answer',
      'It does not work: not allowed',
      'Works again after 6 failures: It does not work',
    ]);
  });
});
