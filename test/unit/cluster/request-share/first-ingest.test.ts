import { describe, expect, it } from 'vitest';
import { RequestShare } from '../../../../agent/cluster/request-share/request-share.ts';
import { createRequestBudget } from '../../../../agent/iconik/request-budget.ts';
import type { RequestLine } from '../../../../agent/iconik/request-lines-state.ts';
import type { Clock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { isLong } from '../../../support/long-version.ts';
import { createMemoryShareStore } from './memory-share-store.ts';

const BUDGET = 45;
/** What iconik allows (reference C.1). */
const ALLOWED = { inOneSecond: 50, in20Seconds: 1_000 };
const FILES = 10_000;
/** Look-ups and creations of one file. The long version takes all of them one by one. */
const CALLS_PER_FILE = isLong ? 8 : 1;

/** Virtual time: `run` wakes sleepers in the order of their times until `isOver`. */
function createVirtualClock() {
  let nowMs = 0;
  const sleeping: { atMs: number; wake: () => void }[] = [];
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const giveUp = () => reject(signal?.reason);
        const wake = () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        };
        signal?.addEventListener('abort', giveUp, { once: true });
        const atMs = nowMs + ms;
        const later = sleeping.findIndex((sleeper) => sleeper.atMs > atMs);
        sleeping.splice(later === -1 ? sleeping.length : later, 0, { atMs, wake });
      }),
  };
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    clock,
    run: async (isOver: () => boolean) => {
      await settle();
      while (!isOver()) {
        const next = sleeping.shift();
        if (!next) throw new Error('Nobody will ever do anything again.');
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
        while (sleeping[0] && sleeping[0].atMs <= nowMs) sleeping.shift()?.wake();
        await settle();
      }
    },
  };
}

/** Most requests in any window of that length that ends with a request; `at` grows. */
function mostIn(at: readonly number[], windowMs: number): number {
  let most = 0;
  let from = 0;
  for (const [index, ms] of at.entries()) {
    while ((at[from] ?? ms) <= ms - windowMs) from++;
    most = Math.max(most, index - from + 1);
  }
  return most;
}

/** A cluster on virtual time: the first node leads and ingests, the others transfer; all send telemetry. */
function createCluster(nodes: number, clock: Clock, sentAtMs: number[]) {
  const store = createMemoryShareStore();
  const runIds = Array.from({ length: nodes }, (_, at) => `run-${at}`);
  const members = runIds.map((runId, at) => ({ runId, isAlive: true, leads: at === 0 }));
  return runIds.map((runId, at) => {
    const budget = createRequestBudget({ requestsPerSecond: BUDGET, clock });
    const share = new RequestShare({
      store,
      runId,
      perSecond: BUDGET,
      pace: budget.pace,
      members: () => members,
      confirmedAgoMs: () => 0,
      isLeader: () => at === 0,
      clock,
      log: silentLogger,
      lookMs: 1_000 + at * 7,
    });
    const waits: Record<RequestLine, number> = { vital: 0, leader: 0, jobs: 0, bulk: 0 };
    const sent: Record<RequestLine, number> = { vital: 0, leader: 0, jobs: 0, bulk: 0 };
    const send = async (line: RequestLine) => {
      const sinceMs = clock.monotonicMs();
      await budget.take(undefined, line);
      waits[line] = Math.max(waits[line], clock.monotonicMs() - sinceMs);
      sent[line] += 1;
      sentAtMs.push(clock.monotonicMs());
    };
    return { share, send, waits, sent };
  });
}

describe('a first ingest of 10,000 files', () => {
  it('never exceeds what iconik allows the credential, and starves neither telemetry nor transfers', async () => {
    const { clock, run } = createVirtualClock();
    const sentAtMs: number[] = [];
    const cluster = createCluster(4, clock, sentAtMs);
    const [leader, uploader] = cluster;
    if (!leader || !uploader) throw new Error('four nodes');
    let left = FILES * CALLS_PER_FILE;
    let isOver = false;
    const every = async (ms: number, work: () => Promise<void>) => {
      while (!isOver) {
        await work();
        await clock.sleep(ms);
      }
    };
    for (const node of cluster) await node.share.start();
    for (const node of cluster) void every(10_000, () => node.send('vital'));
    void every(2_000, () => leader.send('leader'));
    // Registration of a transfer on the leader's own node, and a node that transfers for half of the time.
    void every(1_000, () => leader.send('jobs'));
    void every(50, async () => {
      if (Math.floor(clock.monotonicMs() / 30_000) % 2 === 1) await uploader.send('jobs');
    });
    // 64 files under way at once, more than any scan has.
    for (let file = 0; file < 64; file++) {
      void (async () => {
        while (left > 0) {
          left -= 1;
          await leader.send('bulk');
          await clock.sleep(20);
        }
        isOver = true;
      })();
    }
    await run(() => isOver);

    expect(mostIn(sentAtMs, 1_000)).toBeLessThanOrEqual(ALLOWED.inOneSecond);
    expect(mostIn(sentAtMs, 20_000)).toBeLessThanOrEqual(ALLOWED.in20Seconds);
    expect(Math.max(...cluster.map(({ waits }) => waits.vital))).toBeLessThan(2_000);
    expect(leader.waits.jobs).toBeLessThan(2_000);
    expect(leader.waits.leader).toBeLessThan(2_000);
    expect(uploader.sent.jobs).toBeGreaterThan((clock.monotonicMs() / 1_000) * 3);
    // Idle nodes lend what they do not need: much more than its half goes to the leader that ingests.
    expect(sentAtMs.length / (clock.monotonicMs() / 1_000)).toBeGreaterThan(0.85 * BUDGET);
  }, 120_000);
});
