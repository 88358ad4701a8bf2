import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import type { EndedLease, EndVerdict, LaneDemand, Lease } from '../../../agent/contract/index.ts';
import { ClaimLoop } from '../../../agent/jobs/claim-loop.ts';
import type { ClaimedJob, JobStore } from '../../../agent/jobs/job-store.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { claimedJob } from './claimed-job.ts';

/** A queue whose statements take some turns of the loop, beside a node with instant jobs. */
class Node {
  readonly running = new Set<ClaimedJob>();
  readonly ended: string[] = [];
  readonly refused: string[] = [];
  mostOnItsWay = 0;
  mostAtOnce = 0;
  strayLooksInBetween = 0;
  strayLooks = 0;
  begun = 0;
  failures = 0;
  holdsBack = false;
  /** The row of this job is in the hands of another transaction. */
  locked: string | null = null;
  /** How many turns a statement takes, by its number. */
  turnsOf: (sent: number) => number = () => 5;
  readonly loop: ClaimLoop;
  #onItsWay = 0;
  #sent = 0;
  #busy = 0;
  #left: number;
  readonly #slots: number;

  constructor(slots: number, jobs: number) {
    [this.#slots, this.#left] = [slots, jobs];
    this.loop = new ClaimLoop({
      store: this.#store(),
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      pollMs: 5,
      strayMs: 1,
      demand: (ending) => this.#demand(ending),
      reach: () => ({ storageIds: [], term: null, visibilityTimeoutS: 60 }),
      known: () => [],
      begin: (job) => void this.#work(job),
      unfit: () => {},
    });
  }

  #demand(ending: ReadonlySet<Lease>): LaneDemand[] {
    const slots = this.#slots - [...this.running].filter((job) => !ending.has(job)).length;
    return slots > 0 ? [{ role: 'CHECKSUM', kinds: ['checksum'], slots }] : [];
  }

  async #work(job: ClaimedJob): Promise<void> {
    this.begun++;
    this.running.add(job);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#busy);
    do await nextTurn();
    while (this.holdsBack);
    this.#busy--;
    try {
      if ((await this.loop.end(job, { state: 'done', result: {} })) === 'ended') this.ended.push(job.jobId);
    } catch {
      this.refused.push(job.jobId);
    }
    this.running.delete(job);
  }

  #store(): JobStore {
    const exchange = async (ends: readonly EndedLease[], lanes: readonly LaneDemand[]) => {
      this.mostOnItsWay = Math.max(this.mostOnItsWay, ++this.#onItsWay);
      const slots = Math.min(this.#left, lanes[0]?.slots ?? 0);
      this.#left -= slots;
      for (let left = this.turnsOf(this.#sent++); left > 0; left--) await nextTurn();
      this.#onItsWay--;
      if (ends.some(({ lease }) => lease.jobId === this.locked)) {
        this.#left += slots;
        throw rowLocked();
      }
      if (this.failures > 0 && ends.length > 0) {
        this.failures--;
        this.#left += slots;
        throw new IsgError('database-unreachable', 'away', { retry: 'transient' });
      }
      const verdicts = new Map<string, EndVerdict>(ends.map(({ lease }) => [lease.jobId, 'ended']));
      const ids = Array.from({ length: slots }, (_, at) => String(this.begun + at + 1));
      const claimed = ids.map((jobId) => claimedJob({ jobId, leaseToken: jobId }));
      return { claimed, verdicts };
    };
    const freeStray = async () => {
      this.strayLooks++;
      if (this.#onItsWay > 0) this.strayLooksInBetween++;
      await nextTurn();
      if (this.#onItsWay > 0) this.strayLooksInBetween++;
      return 0;
    };
    const notAsked = async () => {
      throw new Error('not asked for');
    };
    const end = async ({ jobId }: Lease): Promise<EndVerdict> => {
      await nextTurn();
      if (jobId === this.locked) throw rowLocked();
      return 'ended';
    };
    return {
      exchange,
      freeStray,
      releaseDeferred: async () => 0,
      claim: notAsked,
      renew: notAsked,
      saveCheckpoint: notAsked,
      end,
    };
  }
}

const rowLocked = () => new IsgError('database-conflict', 'locked', { retry: 'transient' });

describe('the conversation with the queue', () => {
  it('sends full loads beside each other, runs no more jobs than it has slots, and ends each job once', async () => {
    // Three loads at once would be more than the slots.
    const node = new Node(1_200, 10_000);
    node.loop.start();
    await vi.waitFor(() => expect(node.ended).toHaveLength(10_000), 20_000);
    await node.loop.close();
    expect(new Set(node.ended).size).toBe(10_000);
    expect(node.mostOnItsWay).toBeGreaterThan(1);
    expect(node.mostOnItsWay).toBeLessThanOrEqual(4);
    expect(node.mostAtOnce).toBeGreaterThan(500);
    expect(node.mostAtOnce).toBeLessThanOrEqual(1_200);
  });

  it('looks for strays only while no statement is on its way, also under full loads', async () => {
    const node = new Node(1_500, 10_000);
    // Not in step, so that one is over while another is on its way.
    node.turnsOf = (sent) => 2 + (sent % 3) * 4;
    node.loop.start();
    await vi.waitFor(() => expect(node.ended).toHaveLength(10_000), 20_000);
    await node.loop.close();
    expect(node.strayLooks).toBeGreaterThan(1);
    expect(node.strayLooksInBetween).toBe(0);
  });

  it('has one statement on its way when there is less than a full load', async () => {
    const node = new Node(24, 480);
    node.loop.start();
    await vi.waitFor(() => expect(node.ended).toHaveLength(480), 20_000);
    await node.loop.close();
    expect(node.mostOnItsWay).toBe(1);
  });

  it('is woken once by all jobs that end in one turn', async () => {
    const node = new Node(0, 0);
    node.loop.start();
    const abort = vi.spyOn(AbortController.prototype, 'abort');
    const endAll = (round: number) =>
      Array.from({ length: 100 }, (_, at) =>
        node.loop.end({ jobId: `${round}-${at}`, leaseToken: '1' }, { state: 'done', result: {} }),
      );
    const aborts: number[] = [];
    // Whether the loop stands in a pause at that moment is chance; in some rounds it does.
    for (let round = 0; round < 50; round++) {
      abort.mockClear();
      const ends = endAll(round);
      aborts.push(abort.mock.calls.length);
      await Promise.all(ends);
      for (let turn = 0; turn < 5; turn++) await nextTurn();
    }
    abort.mockRestore();
    await node.loop.close();
    expect(Math.max(...aborts)).toBe(1);
  });

  it('stores every end of a full load although it stops and the statements fail at first', async () => {
    const node = new Node(500, 500);
    node.holdsBack = true;
    node.loop.start();
    await vi.waitFor(() => expect(node.begun).toBe(500), 20_000);
    node.failures = 2;
    node.holdsBack = false;
    await vi.waitFor(() => expect(node.failures).toBeLessThan(2), 20_000);
    await node.loop.close();
    await nextTurn();
    expect(node.ended).toHaveLength(500);
  });

  it('ends and claims all others while the row of one that is over is in the hands of another transaction', async () => {
    const node = new Node(4, 40);
    node.locked = '2';
    node.loop.start();
    await vi.waitFor(() => expect(node.ended).toHaveLength(39), 20_000);
    expect(node.ended).not.toContain('2');
    node.locked = null;
    await vi.waitFor(() => expect(node.ended).toContain('2'), 20_000);
    await node.loop.close();
    expect(new Set(node.ended).size).toBe(40);
  });

  it('gives up an end whose row stays in the hands of another transaction when it stops', async () => {
    const node = new Node(4, 4);
    node.locked = '2';
    node.loop.start();
    await vi.waitFor(() => expect(node.ended).toHaveLength(3), 20_000);
    await node.loop.stopClaiming();
    await node.loop.close();
    expect(node.refused).toEqual(['2']);
  });
});
