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
  isRefused: false,
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
    const commands = life.on({ kind: 'install-asked' });
    expect(life.state).toMatchObject({ isAsked: true });
    // a node that has begun needs its turn; without one there is nobody to ask and nothing to bring to rest
    if (life.facts.agent === 'up') expect(commands).toEqual([{ do: 'claim', version: '0.2.0', isAsked: true }]);
    else expect(life.state).toMatchObject({ state: 'draining', turn: null });
  });

  it('asked for while the agent is not heard, which may lead and run jobs, waits until it is', () => {
    const life = Life.ready({ agent: 'unclear' });
    life.on({ kind: 'install-asked' });
    for (let s = 0; s < 600; s += 5) life.tick(5_000);
    expect(life.state).toMatchObject({ state: 'waiting', isAsked: true, wait: { for: 'agent-down' } });
    expect(life.tick(5_000, { agent: 'up', jobs: 2 })).toMatchObject([{ do: 'claim', isAsked: true }]);
  });

  it.each(['up', 'unclear'] as const)(
    'asked for without a turn asks for one when the agent is %s after all',
    (agent) => {
      const life = Life.ready({ agent: 'down' });
      life.on({ kind: 'install-asked' });
      expect(life.state).toMatchObject({ state: 'draining', turn: null });
      // nor is a node resumed that was not paused by this
      expect(life.tick(UPDATE_LIMITS.calmMs, { agent, isPaused: true })).toEqual([]);
      expect(life.state).toMatchObject({ state: 'waiting', isAsked: true });
      expect(life.tick(UPDATE_LIMITS.claimMs, { agent: 'up' })).toMatchObject([{ do: 'claim', isAsked: true }]);
    },
  );

  it('on a node whose agent ended because the database asks for a newer version is installed at once, without a turn, in the hours allowed', () => {
    const life = Life.ready({ agent: 'outdated', isInWindow: false });
    life.tick(0);
    expect(life.wait).toBe('window');
    life.tick(5_000, { isInWindow: true });
    life.tick(1_000);
    expect(life.tick(UPDATE_LIMITS.calmMs)).toEqual([{ do: 'install', version: '0.2.0', turn: null }]);
  });

  it.each<[string, UpdateEvent | null, Partial<NodeFacts>, string]>([
    ['the allowed hours end', null, { isInWindow: false }, 'window'],
    ['somebody wants it later', { kind: 'postponed' }, {}, 'postponed'],
  ])('gives the turn back when %s while it is asked for, and while it drains', (_, said, facts, why) => {
    const claiming = Life.ready();
    claiming.tick(0);
    const drains = Life.draining();
    for (const life of [claiming, drains]) {
      if (said !== null) life.on(said, facts);
      const given = life === claiming ? life.on({ kind: 'claimed', turn: 7 }, facts) : life.tick(0, facts);
      const all = life === claiming ? given : life.commands;
      expect(all.at(-1)).toEqual({ do: 'report', turn: 7, outcome: 'given-up', version: '0.2.0' });
      expect(life.wait).toBe(why);
      life.tick(UPDATE_LIMITS.claimMs);
      expect(life.wait).toBe(why);
    }
  });

  it('does not begin at the last moment when the allowed hours end while the turn is confirmed', () => {
    const life = Life.draining({ isPaused: true });
    life.tick(0);
    expect(life.tick(UPDATE_LIMITS.calmMs)).toMatchObject([{ do: 'hold', isInstalling: true }]);
    expect(life.on({ kind: 'cleared' }, { isInWindow: false })).toMatchObject([{ do: 'report', outcome: 'given-up' }]);
    expect(life.wait).toBe('window');
  });

  it('is no more when update-url is taken out, whatever it was about to do, and the turn goes back', () => {
    const back = { do: 'report', turn: 7, outcome: 'given-up', version: '0.2.0' };
    const drains = Life.draining();
    expect(drains.on({ kind: 'feed-off', why: 'none' })).toEqual([{ do: 'resume' }, back]);
    expect(drains.state).toEqual({ state: 'off', why: 'none' });
    const claiming = () => {
      const life = Life.ready();
      life.tick(0);
      life.on({ kind: 'feed-off', why: 'none' });
      return life;
    };
    const given = claiming();
    expect(given.on({ kind: 'claimed', turn: 7 })).toEqual([back]);
    const refused = claiming();
    expect(refused.on({ kind: 'refused', wait: { for: 'leads', node: 'b' } })).toEqual([]);
    for (const { state } of [given, refused]) expect(state).toEqual({ state: 'off', why: 'none' });
    const again = claiming();
    again.on({ kind: 'feed-on' });
    again.on({ kind: 'claimed', turn: 7 });
    expect(again.state.state).toBe('draining');
  });

  it('counts the half hour for jobs only while nothing else stands against it', () => {
    const life = Life.ready({ jobs: 1, isInWindow: false });
    life.tick(UPDATE_LIMITS.patienceMs - 60_000);
    life.tick(0, { isInWindow: true });
    expect(life.wait).toBe('jobs');
    expect(life.tick(60_000)).toEqual([]);
    life.on({ kind: 'check-asked' });
    expect(life.tick(UPDATE_LIMITS.patienceMs - 60_001)).toEqual([]);
    expect(life.tick(1)).toMatchObject([{ do: 'claim' }]);
  });

  it('that a person asked for is still asked for when it did not come to it, until somebody wants it later', () => {
    const life = Life.ready({ canInstallAlone: false });
    life.on({ kind: 'install-asked' });
    life.on({ kind: 'claimed', turn: 1 }, { isPaused: true });
    life.tick(0);
    life.tick(UPDATE_LIMITS.calmMs);
    life.on({ kind: 'hold-failed' });
    expect(life.state).toMatchObject({ isAsked: true, wait: { for: 'trouble' } });
    expect(life.tick(UPDATE_LIMITS.claimMs)).toMatchObject([{ do: 'claim', isAsked: true }]);
    life.on({ kind: 'claimed', turn: 2 });
    life.on({ kind: 'postponed' });
    expect(life.state).toMatchObject({ isAsked: false, wait: { for: 'postponed' } });
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
    life.on({ kind: 'postponed' });
    life.tick(UPDATE_LIMITS.claimMs);
    expect(life.wait).toBe('failed-here');
  });
});

const onTrial = () => ({
  state: 'confirming' as const,
  version: '0.2.0',
  turn: 7,
  untilMs: UPDATE_LIMITS.confirmMs,
  canGoBack: true,
  heldMs: 0,
  upSinceMs: null,
  waitingSinceMs: null,
});

const noWayBack: UpdateState = { ...onTrial(), canGoBack: false };

describe('a new version', () => {
  it('is kept when its agent stays up', () => {
    // an outdated one: the version before it would be outdated all the more
    for (const agent of ['up', 'set-up', 'outdated'] as const) {
      const life = new Life(onTrial());
      life.tick(0, { agent });
      life.tick(UPDATE_LIMITS.stableMs);
      expect(life.commands.slice(-2)).toEqual([
        { do: 'confirm', version: '0.2.0' },
        { do: 'report', turn: 7, outcome: 'installed', version: '0.2.0' },
      ]);
    }
  });

  it('is kept while iconik or the database is away, but not before its tables may have been brought, and refused', () => {
    const life = new Life(onTrial());
    life.tick(0, { agent: 'waiting' });
    life.tick(UPDATE_LIMITS.waitingMs - 1);
    life.tick(0, { agent: 'up' });
    expect(life.state.state).toBe('confirming');
    life.tick(0, { agent: 'waiting' });
    life.tick(UPDATE_LIMITS.waitingMs);
    expect(life.commands.at(-1)).toMatchObject({ do: 'report', outcome: 'installed' });
  });

  it('is rolled back at once when the database refuses its tables', () => {
    const life = new Life(onTrial());
    life.tick(0, { agent: 'waiting' });
    life.tick(19_000, { agent: 'down', isRefused: true });
    expect(life.commands).toMatchObject([{ do: 'roll-back', why: expect.stringMatching(/database refused/) }]);
  });

  it.each<[string, NodeFacts['agent'][]]>([
    ['keeps ending', ['up', 'down']],
    ['has stopped for good', ['down']],
    ['is not heard', ['up', 'unclear']],
  ])('is rolled back when its agent %s', (_, agents) => {
    const life = new Life(onTrial());
    for (let at = 0; at * 10_000 <= UPDATE_LIMITS.confirmMs; at += 1)
      life.tick(10_000, { agent: agents[at % agents.length] ?? 'down' });
    expect(life.state.state).toBe('rolling-back');
    const ends = life.commands.filter((command) => command.do !== 'hold');
    expect(ends).toMatchObject([{ do: 'roll-back', version: '0.2.0' }]);
  });

  it('that cannot be taken back is never said to be', () => {
    const life = new Life(noWayBack);
    life.tick(UPDATE_LIMITS.confirmMs + 1, { agent: 'down' });
    expect(life.state.state).toBe('idle');
    expect(life.commands).toMatchObject([{ do: 'roll-back' }]);
  });
});

const facts = fc.record({
  agent: fc.constantFrom('up', 'up', 'up', 'set-up', 'waiting', 'unclear', 'down', 'outdated') as fc.Arbitrary<
    NodeFacts['agent']
  >,
  isRefused: fc.constantFrom(false, false, false, true),
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
    { kind: 'hold-failed' },
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
      isInWindow: fc.constantFrom(true, true, true, false),
    }),
    afterMs: fc.constantFrom(0, 1_000, 3_000, 70_000),
  });
  const step: fc.Arbitrary<{ event: UpdateEvent; facts: Partial<NodeFacts>; afterMs: number }> = fc.oneof(wild, {
    weight: 6,
    arbitrary: near,
  });
  const started = fc.constantFrom('off', 'ready', 'draining');
  const ASKED_WITHOUT_TURN = ['set-up', 'waiting', 'down', 'outdated'];

  it('nothing is installed while jobs run or out of the allowed hours unless a person asked, nor while this node leads, nor without the turn', () => {
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
          if (!before.isAsked) expect(life.facts.isInWindow).toBe(true);
          // with a turn only right after the cluster has confirmed it, without one only where no node has begun
          if (before.turn !== null) expect(happens.kind).toBe('cleared');
          else expect(before.isAsked ? ASKED_WITHOUT_TURN : ['set-up', 'outdated']).toContain(life.facts.agent);
          expect(life.facts.agent).not.toBe('unclear');
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
      noWayBack,
      installs,
      goesBack,
    );
    const end = fc.constantFrom<UpdateEvent>(
      { kind: 'roll-back-failed' },
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
