import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINK_PROTOCOL } from '../../../agent/contract/index.ts';
import {
  initialService,
  nextService,
  type ServiceCommand,
  type ServiceEvent,
  type ServiceState,
} from '../../../main/agent-host/service-state.ts';
import { serviceAgentState } from '../../../main/agent-host/service-words.ts';

type Told = ServiceEvent extends infer E ? (E extends { nowMs: number } ? Omit<E, 'nowMs'> : never) : never;

/** A machine that is told one thing after the other. */
function machine() {
  let state: ServiceState = initialService;
  let nowMs = 1_000;
  const commands: ServiceCommand[] = [];
  return {
    commands,
    state: () => state,
    at: () => state.situation.at,
    tell: (event: Told, afterMs = 0) => {
      nowMs += afterMs;
      const step = nextService(state, { ...event, nowMs } as ServiceEvent);
      state = step.state;
      commands.push(...step.commands);
    },
    words: () =>
      serviceAgentState(state, { wallOffsetMs: 0, platform: 'linux', version: '2.0.0', goodbye: 'It was tired.' }),
  };
}

const tick: Told = { kind: 'tick', mainWasLate: false };
const failed = (why: 'absent' | 'refused' | 'forbidden', isInstalled = false): Told => ({
  kind: 'failed',
  why,
  isInstalled,
});
const hello: Told = { kind: 'hello', protocol: LINK_PROTOCOL, version: '1.0.0' };

describe('a node’s host', () => {
  it('runs its own agent when there is no service, and hands over to one that appears', () => {
    const host = machine();
    host.tell(tick);
    host.tell(failed('absent'));
    expect(host.commands).toEqual(['connect', 'start-own']);
    host.tell(tick, 5_000);
    host.tell(failed('refused'));
    expect(host.at()).toBe('own');
    host.tell(tick, 5_000);
    host.tell(hello);
    expect(host.at()).toBe('attached');
    expect(host.commands).toEqual(['connect', 'start-own', 'connect', 'connect', 'stop-own']);
    expect(host.words()).toMatchObject({ state: 'running', service: { at: 'attached' } });
  });

  it.each([
    ['installed and not running', failed('absent', true), 'not-running', 'systemctl start isg-pro'],
    ['killed', failed('refused'), 'not-running', 'let this application run the node'],
    ['closed to this account', failed('forbidden'), 'forbidden', 'not in the group isg-pro'],
    [
      'of another protocol',
      { kind: 'hello', protocol: LINK_PROTOCOL + 1, version: '9.9.9' } satisfies Told,
      'other-version',
      'version 9.9.9',
    ],
  ])('starts no agent beside a service that is %s, and says what to do', (_, event, at, words) => {
    const host = machine();
    host.tell(tick);
    host.tell(event);
    expect(host.at()).toBe(at);
    expect(host.commands).not.toContain('start-own');
    expect(host.words().reason).toContain(words);
    expect(host.words().state).not.toBe('running');
    host.tell(tick, 10_000);
    expect(host.commands.at(-1)).toBe('connect');
  });

  it('tries again after a lost connection with growing waits of at most 10 s, and says why the service ended', () => {
    const host = machine();
    host.tell(tick);
    host.tell(hello);
    host.tell({ kind: 'lost' });
    const waits: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      const { nextMs, sinceMs } = host.state();
      waits.push((nextMs ?? 0) - sinceMs);
      host.tell(tick, 10_000);
      host.tell(failed('refused', true));
    }
    const gaps = waits.map((wait, i) => wait - 10_000 * i);
    expect(gaps[0]).toBe(500);
    expect(gaps.every((gap, i) => gap <= 10_000 && gap >= (gaps[i - 1] ?? 0))).toBe(true);
    expect(host.words().reason).toContain('It said: It was tired.');
    expect(host.commands).not.toContain('start-own');
  });

  it('starts its own again after the service was uninstalled only when a person says so', () => {
    const host = machine();
    host.tell(tick);
    host.tell(hello);
    host.tell({ kind: 'lost' });
    host.tell(tick, 600);
    host.tell(failed('absent'));
    expect(host.at()).toBe('not-running');
    host.tell(tick, 20_000);
    host.tell(failed('absent'));
    expect(host.at()).toBe('removed');
    expect(host.commands).not.toContain('start-own');
    host.tell({ kind: 'restart-asked' });
    expect(host.at()).toBe('own');
    expect(host.commands.at(-1)).toBe('start-own');
  });

  it('asks the service for a start anew, and calls its absence that', () => {
    const host = machine();
    host.tell(tick);
    host.tell(hello);
    host.tell({ kind: 'restart-asked' });
    expect(host.commands.at(-1)).toBe('ask-restart');
    host.tell({ kind: 'lost' });
    host.tell(tick, 600);
    host.tell(failed('absent', true));
    expect(host.words().service?.sentence).toBe('The service is starting anew.');
    host.tell(tick, 2_000);
    host.tell(hello);
    expect(host.words().state).toBe('running');
  });

  it('shows silence, makes the connection anew after 15 s, and counts no time in which it stood still itself', () => {
    const host = machine();
    host.tell(tick);
    host.tell(hello);
    host.tell({ kind: 'tick', mainWasLate: true }, 60_000);
    expect(host.words().state).toBe('running');
    host.tell(tick, 2_500);
    expect(host.words().state).toBe('unresponsive');
    host.tell({ kind: 'heard' }, 100);
    expect(host.words().state).toBe('running');
    host.tell(tick, 15_000);
    expect(host.commands.at(-1)).toBe('disconnect');
    expect(host.at()).toBe('not-running');
  });

  it('never has an agent of its own and a service at a time, whatever happens in whatever order', () => {
    const told: fc.Arbitrary<Told>[] = [
      fc.boolean().map((mainWasLate) => ({ kind: 'tick', mainWasLate })),
      fc
        .tuple(fc.constantFrom('absent' as const, 'refused' as const, 'forbidden' as const), fc.boolean())
        .map(([why, is]) => failed(why, is)),
      fc.constantFrom<Told>(hello, { kind: 'hello', protocol: 99, version: 'x' }, { kind: 'heard' }, { kind: 'lost' }),
      fc.constant<Told>({ kind: 'restart-asked' }),
    ];
    const event = fc.oneof(...told);
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.integer({ min: 0, max: 30_000 })), { maxLength: 40 }), (events) => {
        const host = machine();
        let hasOwn = false;
        for (const [what, afterMs] of events) {
          const from = host.commands.length;
          host.tell(what, afterMs);
          for (const command of host.commands.slice(from)) {
            if (command === 'start-own') hasOwn = true;
            if (command === 'stop-own') hasOwn = false;
          }
          expect(hasOwn).toBe(host.at() === 'own');
        }
      }),
    );
  });
});
