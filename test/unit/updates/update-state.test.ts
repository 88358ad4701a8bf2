import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type NodeFacts,
  UPDATE_LIMITS,
  type UpdateCommand,
  type UpdateEvent,
  type UpdateState,
} from '../../../main/updates/update-model.ts';
import { nextUpdate } from '../../../main/updates/update-state.ts';

const SETTINGS = { checkMs: 3_600_000 };
const CALM: NodeFacts = {
  nowMs: 0,
  agent: 'up',
  jobs: 0,
  isLeading: false,
  isPaused: false,
  isInWindow: true,
  canInstallAlone: true,
};

/** A life of an update: events go in, with what is known of the node at that moment; commands are kept. */
class Life {
  state: UpdateState;
  facts: NodeFacts = CALM;
  commands: UpdateCommand[] = [];

  constructor(state: UpdateState = { state: 'off', why: '' }) {
    this.state = state;
  }

  on(event: UpdateEvent, facts: Partial<NodeFacts> = {}): UpdateCommand[] {
    this.facts = { ...this.facts, ...facts };
    const step = nextUpdate(this.state, event, this.facts, SETTINGS);
    this.state = step.state;
    this.commands.push(...step.commands);
    return step.commands;
  }

  tick(afterMs: number, facts: Partial<NodeFacts> = {}): UpdateCommand[] {
    return this.on({ kind: 'tick' }, { ...facts, nowMs: this.facts.nowMs + afterMs });
  }

  /** Up to a version that is ready. */
  static ready(facts: Partial<NodeFacts> = {}): Life {
    const life = new Life();
    life.on({ kind: 'feed-on' }, facts);
    life.tick(0);
    life.on({ kind: 'found', version: '0.2.0' });
    life.on({ kind: 'downloaded', version: '0.2.0', hasFailedHere: false });
    life.tick(0);
    return life;
  }

  static draining(facts: Partial<NodeFacts> = {}): Life {
    const life = Life.ready(facts);
    life.tick(0);
    life.on({ kind: 'claimed', turn: 7 });
    return life;
  }

  get wait() {
    return this.state.state === 'waiting' ? this.state.wait.for : null;
  }
}

describe('an update', () => {
  it('is looked for, fetched, waited with, drained for and installed, in this order', () => {
    const life = Life.ready();
    life.tick(0);
    life.on({ kind: 'claimed', turn: 7 });
    life.tick(0, { isPaused: true });
    life.tick(UPDATE_LIMITS.calmMs);
    life.on({ kind: 'cleared' });
    expect(life.commands).toEqual([
      { do: 'check' },
      { do: 'download' },
      { do: 'claim', version: '0.2.0', isAsked: false },
      { do: 'pause' },
      { do: 'hold', turn: 7, isInstalling: true },
      { do: 'install', version: '0.2.0', turn: 7 },
    ]);
  });

  it('that fails to be found or fetched is told in words and looked for again later', () => {
    const life = new Life();
    life.on({ kind: 'feed-on' });
    life.tick(0);
    life.on({ kind: 'failed', why: 'The feed is away' });
    expect(life.state).toMatchObject({ state: 'idle', why: 'The feed is away' });
    expect(life.tick(SETTINGS.checkMs - 1)).toEqual([]);
    expect(life.tick(1)).toEqual([{ do: 'check' }]);
  });

  it.each<[string, Partial<NodeFacts>, string]>([
    ['a job runs', { jobs: 1 }, 'jobs'],
    ['the hour is not one of those allowed', { isInWindow: false }, 'window'],
    ['no agent answers', { agent: 'down' }, 'agent-down'],
    ['iconik or the database is away', { agent: 'waiting' }, 'agent-down'],
    ['somebody must confirm it', { canInstallAlone: false }, 'needs-person'],
  ])('waits while %s, until a person asks', (_, facts, why) => {
    const life = Life.ready(facts);
    expect(life.tick(0)).toEqual([]);
    expect(life.wait).toBe(why);
    expect(life.on({ kind: 'install-asked' })).not.toEqual([{ do: 'check' }]);
    expect(life.state).toMatchObject({ isAsked: true });
  });

  it('waits a day when postponed', () => {
    const life = Life.ready();
    life.on({ kind: 'postponed' });
    for (let h = 0; h < 23; h += 1) life.tick(3_600_000);
    expect(life.commands.filter((command) => command.do === 'claim')).toEqual([]);
    life.tick(2 * 3_600_000);
    life.tick(0);
    expect(life.commands.at(-1)).toMatchObject({ do: 'claim' });
  });

  it('stops a node that is never without jobs from taking new ones after half an hour, and installs when the running ones have ended', () => {
    const life = Life.ready({ jobs: 3 });
    life.tick(0);
    life.tick(UPDATE_LIMITS.patienceMs - 1);
    expect(life.wait).toBe('jobs');
    expect(life.tick(1)).toMatchObject([{ do: 'claim' }]);
    life.on({ kind: 'claimed', turn: 1 });
    life.tick(60_000, { isPaused: true });
    expect(life.state.state).toBe('draining');
    life.tick(1_000, { jobs: 0 });
    expect(life.tick(UPDATE_LIMITS.calmMs)).toMatchObject([{ do: 'hold', isInstalling: true }]);
  });

  it('lets a node work on whose jobs do not end, and gives the turn back', () => {
    const life = Life.draining({ jobs: 0 });
    life.tick(1_000, { isPaused: true, jobs: 1 });
    life.commands = [];
    life.tick(UPDATE_LIMITS.drainMs);
    expect(life.commands).toEqual([{ do: 'resume' }, { do: 'report', turn: 7, outcome: 'given-up', version: '0.2.0' }]);
    expect(life.wait).toBe('jobs');
  });

  it('leaves a node paused that its operator had paused before', () => {
    const life = Life.draining({ isPaused: true });
    life.on({ kind: 'turn-lost' });
    expect(life.commands.at(-1)).toMatchObject({ do: 'report', outcome: 'given-up' });
    expect(life.commands.some((command) => command.do === 'resume')).toBe(false);
  });

  it('that was asked for gives running jobs a minute and then installs', () => {
    const life = Life.ready({ jobs: 2 });
    life.on({ kind: 'install-asked' });
    life.on({ kind: 'claimed', turn: 1 });
    life.tick(UPDATE_LIMITS.askedDrainMs, { isPaused: true });
    expect(life.state).toMatchObject({ isClearing: false });
    expect(life.tick(1)).toEqual([{ do: 'hold', turn: 1, isInstalling: true }]);
    expect(life.on({ kind: 'cleared' })).toEqual([{ do: 'install', version: '0.2.0', turn: 1 }]);
  });

  it('installs nothing without its turn, and asks the cluster at most four times a minute', () => {
    const life = Life.ready();
    life.tick(0);
    life.on({ kind: 'refused', wait: { for: 'leads', node: 'node-b' } });
    expect(life.tick(UPDATE_LIMITS.claimMs - 1)).toEqual([]);
    expect(life.state).toMatchObject({ wait: { for: 'leads', node: 'node-b' } });
    expect(life.tick(1)).toMatchObject([{ do: 'claim' }]);
  });

  it('that the feed takes back is not installed', () => {
    const life = Life.ready({ jobs: 1 });
    life.on({ kind: 'none' });
    expect(life.state.state).toBe('idle');
  });

  it('that did not start here before waits for a person', () => {
    const life = new Life({ state: 'ready', version: '0.2.0', hasFailedHere: true });
    life.tick(0);
    life.tick(0);
    expect(life.wait).toBe('failed-here');
    expect(life.on({ kind: 'install-asked' })).toMatchObject([{ do: 'claim', isAsked: true }]);
    life.on({ kind: 'claimed', turn: 1 });
    life.on({ kind: 'turn-lost' });
    life.tick(UPDATE_LIMITS.claimMs);
    expect(life.wait).toBe('failed-here');
  });
});

const onTrial = (): UpdateState => ({
  state: 'confirming',
  version: '0.2.0',
  turn: 7,
  untilMs: UPDATE_LIMITS.confirmMs,
  heldMs: 0,
  upSinceMs: null,
});

describe('a new version', () => {
  it('is kept when its agent stays up, also while iconik or the database is away', () => {
    for (const agent of ['up', 'set-up', 'waiting'] as const) {
      const life = new Life(onTrial());
      life.tick(0, { agent });
      life.tick(UPDATE_LIMITS.stableMs);
      expect(life.commands.slice(-2)).toEqual([
        { do: 'confirm', version: '0.2.0' },
        { do: 'report', turn: 7, outcome: 'installed', version: '0.2.0' },
      ]);
    }
  });

  it('is rolled back when its agent keeps ending', () => {
    const life = new Life(onTrial());
    for (let ms = 0; ms <= UPDATE_LIMITS.confirmMs; ms += 10_000)
      life.tick(10_000, { agent: life.facts.agent === 'down' ? 'up' : 'down' });
    expect(life.state.state).toBe('rolling-back');
    expect(life.commands.at(-1)).toMatchObject({ do: 'roll-back', version: '0.2.0' });
  });
});

const facts = fc.record({
  agent: fc.constantFrom('up', 'up', 'up', 'set-up', 'waiting', 'down') as fc.Arbitrary<NodeFacts['agent']>,
  jobs: fc.nat({ max: 2 }),
  isLeading: fc.boolean(),
  isPaused: fc.boolean(),
  isInWindow: fc.boolean(),
  canInstallAlone: fc.boolean(),
});
const event = fc.oneof(
  { weight: 6, arbitrary: fc.constant<UpdateEvent>({ kind: 'tick' }) },
  fc.constantFrom<UpdateEvent>(
    { kind: 'feed-on' },
    { kind: 'feed-off', why: '' },
    { kind: 'check-asked' },
    { kind: 'found', version: '0.2.0' },
    { kind: 'none' },
    { kind: 'failed', why: 'x' },
    { kind: 'downloaded', version: '0.2.0', hasFailedHere: false },
    { kind: 'install-asked' },
    { kind: 'postponed' },
    { kind: 'claimed', turn: 1 },
    { kind: 'refused', wait: { for: 'leads', node: 'b' } },
    { kind: 'cleared' },
    { kind: 'turn-lost' },
    { kind: 'install-failed', why: 'x' },
  ),
);

describe('whatever happens', () => {
  const wild = fc.record({ event, facts, afterMs: fc.nat({ max: 90_000 }) });
  // a life of pure chance hardly ever comes to an installation
  const near = fc.record({
    event: fc.constantFrom<UpdateEvent>(
      { kind: 'tick' },
      { kind: 'tick' },
      { kind: 'cleared' },
      { kind: 'install-asked' },
    ),
    facts: fc.record({
      agent: fc.constant('up' as const),
      jobs: fc.constantFrom(0, 0, 0, 1),
      isLeading: fc.constantFrom(false, false, false, true),
      isPaused: fc.constantFrom(true, true, true, false),
    }),
    afterMs: fc.constantFrom(0, 1_000, 3_000, 70_000),
  });
  const step: fc.Arbitrary<{ event: UpdateEvent; facts: Partial<NodeFacts>; afterMs: number }> = fc.oneof(wild, {
    weight: 6,
    arbitrary: near,
  });
  const started = fc.constantFrom('off', 'ready', 'draining');

  it('nothing is installed while jobs run unless a person asked, nor while this node leads, nor without the turn', () => {
    let installed = 0;
    fc.assert(
      fc.property(started, fc.array(step, { maxLength: 80 }), (from, steps) => {
        const life = from === 'off' ? new Life() : from === 'ready' ? Life.ready() : Life.draining();
        for (const { event: happens, facts: known, afterMs } of steps) {
          const before = life.state;
          const commands = life.on(happens, { ...known, nowMs: life.facts.nowMs + afterMs });
          if (!commands.some((command) => command.do === 'install')) continue;
          installed += 1;
          expect(before.state).toBe('draining');
          if (before.state !== 'draining') continue;
          if (life.facts.agent === 'up') {
            expect(life.facts.isLeading).toBe(false);
            if (life.facts.jobs > 0) expect(before.isAsked).toBe(true);
          }
          // with a turn only right after the cluster has confirmed it
          if (before.turn !== null) expect(happens.kind).toBe('cleared');
          else expect(before.isAsked || life.facts.agent !== 'waiting').toBe(true);
        }
      }),
      { numRuns: 400 },
    );
    expect(installed).toBeGreaterThan(0);
  });

  it('a turn that was given is given back, or leads to an installation', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const life = Life.draining();
        for (const { event: happens, facts: known, afterMs } of steps) {
          const before = life.state;
          const commands = life.on(happens, { ...known, nowMs: life.facts.nowMs + afterMs });
          if (before.state !== 'draining' || life.state.state === 'draining') continue;
          const ends = commands.filter((command) => command.do === 'report' || command.do === 'install');
          expect(ends).toHaveLength(before.turn === null ? ends.length : 1);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the table of states in the README', () => {
  it('has every way from one state to another, and no other', () => {
    const readme = readFileSync(new URL('../../../main/updates/README.md', import.meta.url), 'utf8');
    const written = [...readme.matchAll(/^\| `([a-z-]+)`\s+\| `([a-z-]+)`\s+\|/gm)].map(
      ([, from, to]) => `${from} → ${to}`,
    );
    const seen = new Set<string>();
    const installs: UpdateState = { state: 'installing', version: '0.2.0', turn: 1, wasPaused: false };
    const goesBack: UpdateState = { state: 'rolling-back', version: '0.2.0', turn: 1, why: '' };
    const fetching: UpdateState = { state: 'downloading', version: '0.2.0', percent: 0 };
    const fetched: UpdateState = { state: 'ready', version: '0.2.0', hasFailedHere: false };
    const ready = Life.ready().state;
    const atWork = Life.draining().state;
    const off: UpdateState = { state: 'off', why: '' };
    const begin = fc.constantFrom(
      off,
      { state: 'checking' } as const,
      fetching,
      fetched,
      ready,
      atWork,
      onTrial(),
      installs,
      goesBack,
    );
    const end = fc.constantFrom<UpdateEvent>(
      { kind: 'roll-back-failed', why: 'x' },
      { kind: 'found', version: '0.3.0' },
      { kind: 'feed-off', why: '' },
    );
    const any = fc.record({ event: fc.oneof(event, end), facts, afterMs: fc.nat({ max: 900_000 }) });
    const calm = fc.record({ event, facts: fc.constant<Partial<NodeFacts>>({}), afterMs: fc.nat({ max: 9_000 }) });
    const resting = fc.record({
      event: fc.constantFrom<UpdateEvent>({ kind: 'tick' }, { kind: 'cleared' }),
      facts: fc.constant<Partial<NodeFacts>>({ agent: 'up', isPaused: true, jobs: 0, isLeading: false }),
      afterMs: fc.constant(5_000),
    });
    fc.assert(
      fc.property(begin, fc.array(fc.oneof(any, calm, resting), { maxLength: 80 }), (from, steps) => {
        const life = new Life(from);
        for (const { event: happens, facts: known, afterMs } of steps) {
          const before = life.state.state;
          life.on(happens, { ...known, nowMs: life.facts.nowMs + afterMs });
          if (life.state.state !== before) seen.add(`${before} → ${life.state.state}`);
        }
      }),
      { numRuns: 1_500, seed: 7 },
    );
    expect([...seen].toSorted()).toEqual(written.toSorted());
  });
});
