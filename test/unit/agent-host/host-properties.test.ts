import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SPAWN_BUDGET, SPAWN_WINDOW_MS } from '../../../main/agent-host/host-limits.ts';
import { HOST_EDGES } from '../../../main/agent-host/host-situation.ts';
import { hasChild } from '../../../main/agent-host/host-state.ts';
import { Drive, exit, type Happening } from './host-drive.ts';

/** What the world does to the machine: people, the file, and the agent, with time in between. */
type Deed =
  | { deed: 'wait'; ms: number; late: boolean }
  | { deed: 'happen'; what: Happening }
  /** The agent ends; without an agent nothing. */
  | { deed: 'die'; code: number | null; isCodeCertain: boolean; random: number };

const happenings: Happening[] = [
  { kind: 'start-asked' },
  { kind: 'restart-asked' },
  { kind: 'stop-asked' },
  { kind: 'config-changed' },
  { kind: 'hello', protocol: 1 },
  { kind: 'hello', protocol: 2 },
  { kind: 'beat-loop' },
  { kind: 'beat-thread' },
  { kind: 'thread-lost' },
  { kind: 'goodbye', code: 6, reason: '' },
];
const unasked = happenings.filter(({ kind }) => !kind.endsWith('-asked'));

const waiting = fc.record({
  deed: fc.constant('wait' as const),
  ms: fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 2_000, max: 70_000 })),
  late: fc.boolean(),
});
const dying = fc.record({
  deed: fc.constant('die' as const),
  code: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 70, null),
  isCodeCertain: fc.boolean(),
  random: fc.double({ min: 0, max: 0.999, noNaN: true }),
});
const deeds = (what: Happening[]): fc.Arbitrary<Deed[]> =>
  fc.array(
    fc.oneof(
      { weight: 3, arbitrary: waiting },
      { weight: 2, arbitrary: dying },
      { weight: 3, arbitrary: fc.constantFrom(...what).map((one) => ({ deed: 'happen' as const, what: one })) },
    ),
    { maxLength: 250 },
  );

/** The machine together with the processes it starts: fails at a second process, and at a signal to none. */
class World {
  readonly drive = new Drive();
  isAlive = false;
  readonly spawnedMs: number[] = [];
  readonly seen = new Set<string>();

  do(happening: Happening): void {
    const before = this.drive.state.state;
    for (const command of this.drive.on(happening)) {
      if (command === 'wake') continue;
      expect(this.isAlive).toBe(command !== 'spawn');
      if (command === 'spawn') {
        this.isAlive = true;
        this.spawnedMs.push(this.drive.nowMs);
      }
    }
    const after = this.drive.state.state;
    expect(hasChild(after)).toBe(this.isAlive);
    if (after !== before && !(HOST_EDGES[before] as readonly string[]).includes(after))
      throw new Error(`no edge ${before} → ${after}`);
  }

  play(deed: Deed): void {
    if (deed.deed === 'happen') this.do(deed.what);
    else if (deed.deed === 'wait') {
      this.drive.nowMs += deed.ms;
      this.do({ kind: 'tick', mainWasLate: deed.late });
    } else if (this.isAlive) {
      this.isAlive = false;
      const end = exit(0, {
        code: deed.code,
        isCodeCertain: deed.isCodeCertain,
        signal: deed.code === null ? 'SIGKILL' : null,
      });
      this.do({ kind: 'exited', end, random: deed.random });
    }
  }
}

describe('whatever happens', () => {
  it('there is never a second agent, no signal goes to none, and every move is drawn', () => {
    fc.assert(
      fc.property(deeds(happenings), (list) => {
        const world = new World();
        for (const deed of list) world.play(deed);
      }),
      { numRuns: 500 },
    );
  });

  it('no 10 minutes hold more than 15 starts that no person asked for', () => {
    fc.assert(
      fc.property(deeds(unasked), (list) => {
        const world = new World();
        world.do({ kind: 'start-asked' });
        for (const deed of list) world.play(deed);
        for (const [index, startMs] of world.spawnedMs.entries()) {
          const beyond = world.spawnedMs[index + SPAWN_BUDGET];
          if (beyond !== undefined) expect(beyond - startMs).toBeGreaterThanOrEqual(SPAWN_WINDOW_MS);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('an agent that always dies at once is started at most 15 times in 10 minutes, and for ever', () => {
    const world = new World();
    world.do({ kind: 'start-asked' });
    for (let turn = 0; turn < 4 * 3_600; turn += 1) {
      world.play({ deed: 'wait', ms: 250, late: false });
      world.play({ deed: 'die', code: 1, isCodeCertain: true, random: 0 });
      // A file that is saved again and again does not break the bound.
      world.do({ kind: 'config-changed' });
    }
    const { spawnedMs } = world;
    expect(spawnedMs.at(-1)).toBeGreaterThan(3_600_000 - 660_000);
    for (const startMs of spawnedMs)
      expect(spawnedMs.filter((ms) => ms >= startMs && ms < startMs + SPAWN_WINDOW_MS).length).toBeLessThanOrEqual(15);
  });

  it('from any point a waiting machine starts again by itself', () => {
    fc.assert(
      fc.property(deeds(happenings), (list) => {
        const world = new World();
        for (const deed of list) world.play(deed);
        if (world.isAlive || world.drive.state.state === 'stopped') return;
        world.drive.nowMs += SPAWN_WINDOW_MS;
        world.do({ kind: 'tick', mainWasLate: false });
        expect(world.isAlive).toBe(true);
      }),
    );
  });
});
