import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestShare, type ShareMember } from '../../../../agent/cluster/request-share/request-share.ts';
import type { ShareStore } from '../../../../agent/cluster/request-share/share-store.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { createManualClock } from '../../iconik/manual-clock.ts';
import { createMemoryShareStore } from './memory-share-store.ts';

const BUDGET = 45;

/** One run whose load, life and leadership the test decides. */
class Run {
  readonly share: RequestShare;
  readonly runId: string;
  isAlive = true;
  leads = false;
  confirmedAgoMs = 0;
  waiting = 0;
  sentPerSecond = 0;
  pausedMs: number[] = [];
  #admitted = 0;
  #throttled: (pauseMs: number) => void = () => {};

  constructor(runId: string, store: ShareStore, cluster: { runs: Run[]; clock: ReturnType<typeof createManualClock> }) {
    this.runId = runId;
    const members = (): ShareMember[] =>
      cluster.runs.map(({ runId: id, isAlive, leads }) => ({ runId: id, isAlive, leads }));
    this.share = new RequestShare({
      store,
      runId,
      perSecond: BUDGET,
      pace: {
        follow: () => {},
        load: () => {
          this.#admitted += this.sentPerSecond;
          return { admitted: this.#admitted, waiting: this.waiting };
        },
        pause: (ms) => this.pausedMs.push(ms),
        onThrottle: (listener) => {
          this.#throttled = listener;
        },
      },
      members,
      confirmedAgoMs: () => this.confirmedAgoMs,
      isLeader: () => this.leads,
      clock: cluster.clock,
      log: silentLogger,
    });
    cluster.runs.push(this);
  }

  throttle(pauseMs: number): void {
    this.#throttled(pauseMs);
  }
}

/** What a run without any share may send beside the budget. */
const WITHOUT_SHARE = 1;

/** What all living runs may send out of the budget. */
const using = (runs: readonly Run[]) =>
  runs
    .map((run) => (run.isAlive ? run.share.perSecond() : 0))
    .reduce((sum, perSecond) => sum + (perSecond === WITHOUT_SHARE ? 0 : perSecond), 0);

function createRuns(count: number, wrap: (store: ShareStore) => ShareStore = (store) => store) {
  const store = createMemoryShareStore();
  const cluster = { runs: [] as Run[], clock: createManualClock() };
  const wrapped = wrap(store);
  for (let at = 0; at < count; at++) new Run(`run-${at}`, wrapped, cluster);
  /** A second, then a look of each run, one after the other. */
  const round = async () => {
    await cluster.clock.advance(1_000);
    for (const run of cluster.runs) if (run.isAlive) await run.share.look();
  };
  return { ...cluster, store, round };
}

const change = fc.record({
  run: fc.nat({ max: 4 }),
  what: fc.constantFrom('busy', 'idle', 'leads', 'follows', 'dies'),
});

describe('the shares of several runs', () => {
  it('never exceed the budget, in whatever order their reads and writes arrive, and with answers that are lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.array(change, { maxLength: 3 }), { minLength: 2, maxLength: 8 }),
        fc.infiniteStream(fc.nat({ max: 9 })),
        async (scheduler, rounds, luck) => {
          const overdrawn: number[] = [];
          const cluster = createRuns(5, (store) => {
            const check = () => {
              const sum = using(cluster.runs);
              if (sum > BUDGET + 1e-6) overdrawn.push(sum);
            };
            // Done at once, answered whenever the scheduler likes: every answer may be old. One in ten is lost.
            const late =
              <A extends unknown[], R>(name: string, call: (...args: A) => Promise<R>) =>
              async (...args: A) => {
                check();
                const done = call(...args);
                await scheduler.schedule(Promise.resolve(name), name);
                check();
                if (luck.next().value === 0) throw new Error('The answer was lost.');
                return done;
              };
            return {
              read: late('read', () => store.read()),
              release: late('release', (share) => store.release(share)),
              raise: late('raise', (share, seen) => store.raise(share, seen)),
              throttled: (pauseMs) => store.throttled(pauseMs),
              leave: (runId) => store.leave(runId),
            };
          });
          for (const changes of rounds) {
            for (const { run: at, what } of changes) {
              const run = cluster.runs[at];
              if (!run) continue;
              if (what === 'busy') run.waiting = 10;
              if (what === 'idle') [run.waiting, run.sentPerSecond] = [0, 0];
              if (what === 'leads') run.leads = true;
              if (what === 'follows') run.leads = false;
              if (what === 'dies') [run.isAlive, run.confirmedAgoMs] = [false, 6_000];
            }
            await cluster.clock.advance(1_000);
            const looks = cluster.runs.filter((run) => run.isAlive).map((run) => run.share.look());
            await scheduler.waitFor(Promise.all(looks));
          }
          expect(overdrawn).toEqual([]);
          expect(cluster.store.heldSum()).toBeLessThanOrEqual(BUDGET + 1e-6);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('become those of the plan within a few looks, and move no more while nothing changes', async () => {
    const { runs, round, store } = createRuns(3);
    const [leader, second, third] = runs;
    if (!leader || !second || !third) throw new Error('three runs');
    leader.leads = true;
    for (let at = 0; at < 4; at++) await round();
    expect(runs.map((run) => Math.round(run.share.perSecond()))).toEqual([23, 11, 11]);
    second.waiting = 50;
    for (let at = 0; at < 5; at++) await round();
    expect(second.share.perSecond()).toBeGreaterThan(BUDGET - 22.5 / 4 - 11.25 / 4 - 1);
    // The leader gets its half back two looks after it wants it: one frees it, one takes it.
    leader.waiting = 50;
    leader.sentPerSecond = 6;
    for (let at = 0; at < 4; at++) await round();
    expect(leader.share.perSecond()).toBeGreaterThan(21);
    const before = runs.map((run) => run.share.perSecond());
    const { version } = await store.read();
    for (let at = 0; at < 4; at++) await round();
    expect(runs.map((run) => run.share.perSecond())).toEqual(before);
    expect((await store.read()).version).toBe(version);
  });

  it('of a dead run go to the living, and a run that is not confirmed alive uses nothing of its own meanwhile', async () => {
    const { runs, round } = createRuns(2);
    const [dying, heir] = runs;
    if (!dying || !heir) throw new Error('two runs');
    for (let at = 0; at < 4; at++) await round();
    expect(heir.share.perSecond()).toBeLessThan(30);
    dying.confirmedAgoMs = 5_000;
    expect(dying.share.perSecond()).toBe(1);
    dying.isAlive = false;
    heir.waiting = 5;
    for (let at = 0; at < 4; at++) await round();
    expect(heir.share.perSecond()).toBe(BUDGET);
  });

  it('pause together when iconik throttles one of them', async () => {
    const { runs, round } = createRuns(3);
    await round();
    await round();
    runs[0]?.throttle(4_000);
    await round();
    await round();
    expect(runs.map((run) => run.pausedMs)).toEqual([[], [4_000], [4_000]]);
  });
});
