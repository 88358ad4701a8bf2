import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunningLeaderWork } from '../../../agent/leader/leader-work.ts';
import type { LeaderWork } from '../../../agent/leader/leadership.ts';
import { createNoteBegan } from '../../../agent/leader/note-began.ts';
import { recordWork } from '../../../agent/leader/recorded-work.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { leaderBegins } from '../../faults/upgrade/leader-begins.ts';
import { type HistoryEvent, parseEvent } from '../../support/history/events.ts';

/** That the figure of the rolling upgrade (test/faults/upgrade) sees leader work that does not go on. */

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** How long the write takes that notes the begin. */
const NOTE_MS = 10;

/** What a leadership of some seconds with this work leaves in the history; time is the test's. */
async function historyOf(work: readonly LeaderWork[]): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  const nowMs = () => performance.now();
  const history = {
    nowMs,
    say: (kind: string, facts: object) => void events.push(parseEvent({ run: 'a', kind, ...facts, atMs: nowMs() })),
  };
  const noteBegan = createNoteBegan(async (leadership) => {
    const written = leadership.watchWrite?.();
    await systemClock.sleep(NOTE_MS);
    written?.(true);
  });
  const recorded = recordWork([noteBegan, ...work], history, (ms, signal) => systemClock.sleep(ms, signal));
  const running = new RunningLeaderWork(
    { term: 7, runId: 'a', isTrusted: () => true },
    { work: recorded.work, clock: systemClock, log: silentLogger, settleLimitMs: 1_000 },
  );
  await vi.advanceTimersByTimeAsync(8_000);
  await running.end();
  return events;
}

/** Leader work that writes under its fence after a second, and fails at its first runs. */
function scan(failures: number): LeaderWork {
  let left = failures;
  return {
    name: 'scan',
    run: async (leadership) => {
      if (left-- > 0) throw new Error('no');
      await systemClock.sleep(1_000, leadership.signal);
      leadership.watchWrite?.()(true);
      await systemClock.sleep(60_000, leadership.signal).catch(() => undefined);
    },
  };
}

describe('the begin of a leadership', () => {
  it('is measured to its first real work, not to the write that notes it', async () => {
    const events = await historyOf([scan(0)]);
    const startMs = events[0]?.atMs ?? 0;
    const [begin] = leaderBegins(events);
    expect(begin).toMatchObject({ term: 7, begunAgain: [] });
    expect((begin?.workedMs ?? 0) - startMs).toBe(NOTE_MS + 1_000);
  });

  it('shows work that failed when it began and rested', async () => {
    const events = await historyOf([scan(1)]);
    const startMs = events[0]?.atMs ?? 0;
    const [begin] = leaderBegins(events);
    expect(begin?.begunAgain).toEqual(['scan']);
    expect((begin?.workedMs ?? 0) - startMs).toBe(NOTE_MS + 6_000);
  });

  it('shows that nothing was done', async () => {
    expect(leaderBegins(await historyOf([scan(100)]))).toMatchObject([{ workedMs: null, begunAgain: ['scan'] }]);
  });
});
