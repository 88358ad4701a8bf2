import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { STOP_LIMIT_MS } from '../../../agent/stop-order.ts';
import { restartWaitMs, STOP_ASK_MS } from '../../../main/agent-host/host-limits.ts';
import { HOST_EDGES } from '../../../main/agent-host/host-situation.ts';
import { waitToJudge } from '../../../main/agent-host/host-state.ts';
import { Drive, exit, type Happening } from './host-drive.ts';

const beatLoop: Happening = { kind: 'beat-loop' };
const beatThread: Happening = { kind: 'beat-thread' };
const exited = (code: number): Happening => ({ kind: 'exited', end: exit(code), random: 0 });
const late: Happening = { kind: 'tick', mainWasLate: true };

describe('the drawing', () => {
  it('lists the edges of the machine', () => {
    const readme = readFileSync(new URL('../../../main/agent-host/README.md', import.meta.url), 'utf8');
    const drawn = Object.fromEntries(
      [...readme.matchAll(/^- ([a-z-]+) → (.+)$/gm)].map(([, from, to]) => [from, to?.split(', ')]),
    );
    expect(drawn).toEqual(HOST_EDGES);
  });
});

describe('a start', () => {
  it('runs one agent, which counts as running at its hello', () => {
    const drive = new Drive();
    expect(drive.on({ kind: 'start-asked' })).toEqual(['spawn']);
    expect(drive.state.state).toBe('starting');
    drive.on({ kind: 'hello', protocol: 1 });
    expect(drive.state.state).toBe('running');
  });

  it('asked twice starts one agent', () => {
    expect(new Drive().on({ kind: 'start-asked' }, { kind: 'start-asked' })).toEqual(['spawn']);
  });

  it('without hello within 20 s is ended and tried again', () => {
    const drive = new Drive();
    drive.on({ kind: 'start-asked' });
    expect(drive.pass(19_750)).toEqual([]);
    expect(drive.pass(250)).toEqual(['kill']);
    expect(drive.state).toMatchObject({ state: 'stopping', why: 'no-hello' });
    drive.on({ kind: 'exited', end: exit(0, { code: null, signal: 'SIGKILL' }), random: 0 });
    expect(drive.state.state).toBe('backing-off');
  });

  it('with another link protocol ends the agent and does not try again by itself', () => {
    const drive = new Drive();
    drive.on({ kind: 'start-asked' });
    expect(drive.on({ kind: 'hello', protocol: 99 })).toEqual(['kill']);
    drive.on({ kind: 'exited', end: exit(0, { code: null, signal: 'SIGKILL' }), random: 0 });
    expect(drive.state).toMatchObject({ state: 'stopped', why: 'protocol' });
    expect(drive.pass(3_600_000)).toEqual([]);
  });
});

describe('silence', () => {
  it('is shown within 3 s, and forgiven at the next beat', () => {
    const drive = Drive.running();
    drive.pass(2_000);
    expect(drive.state.state).toBe('running');
    drive.pass(500);
    expect(drive.state.state).toBe('unresponsive');
    drive.on(beatLoop);
    expect(drive.state.state).toBe('running');
  });

  it('of the main loop ends the agent after 15 s although its thread beats', () => {
    const drive = Drive.running();
    expect(drive.pass(14_750, () => drive.on(beatThread))).toEqual([]);
    expect(drive.state.state).toBe('unresponsive');
    expect(drive.pass(250, () => drive.on(beatThread))).toEqual(['kill']);
    expect(drive.state).toMatchObject({ state: 'stopping', why: 'loop-silent' });
  });

  it('of every thread ends the agent after 5 s', () => {
    const drive = Drive.running();
    drive.on(beatThread, beatLoop);
    expect(drive.pass(4_750)).toEqual([]);
    expect(drive.pass(250)).toEqual(['kill']);
    expect(drive.state).toMatchObject({ state: 'stopping', why: 'process-silent' });
  });

  it('of a thread that never connected or whose connection closed proves nothing; the loop decides', () => {
    const never = Drive.running();
    expect(never.pass(14_750)).toEqual([]);
    const closed = Drive.running();
    closed.on(beatThread, { kind: 'thread-lost' });
    expect(closed.pass(14_750)).toEqual([]);
    expect(closed.pass(250)).toEqual(['kill']);
  });

  it('in time in which main was late is not counted', () => {
    const drive = Drive.running();
    drive.on(beatThread);
    drive.pass(1_750);
    drive.nowMs += 3_600_000;
    expect(drive.on(late)).toEqual([]);
    expect(drive.state.state).toBe('running');
    drive.pass(250);
    expect(drive.state.state).toBe('running');
    drive.pass(250);
    expect(drive.state.state).toBe('unresponsive');
  });

  it('needs no look before it would be too long while the agent speaks, and one each 250 ms otherwise', () => {
    const drive = Drive.running();
    expect(waitToJudge(drive.state, drive.nowMs)).toBe(2_250);
    drive.nowMs += 1_000;
    expect(waitToJudge(drive.state, drive.nowMs)).toBe(1_250);
    drive.on(beatLoop);
    expect(waitToJudge(drive.state, drive.nowMs)).toBe(2_250);
    drive.nowMs += 10_000;
    expect(waitToJudge(drive.state, drive.nowMs)).toBe(250);
    drive.pass(2_250);
    expect(drive.state.state).toBe('unresponsive');
    expect(waitToJudge(drive.state, drive.nowMs)).toBe(250);
  });

  it('during the start is not counted either while main was late', () => {
    const drive = new Drive();
    drive.on({ kind: 'start-asked' });
    drive.nowMs += 60_000;
    expect(drive.on(late)).toEqual([]);
    expect(drive.state.state).toBe('starting');
  });
});

describe('an end', () => {
  const ended = (code: number) => {
    const drive = Drive.running();
    drive.on(exited(code));
    return drive;
  };

  it.each([0, 1, 4, 5, 65, 70, 137])('with code %i leads to another start', (code) => {
    const drive = ended(code);
    expect(drive.state).toMatchObject({ state: 'backing-off', lastEnd: { code } });
    expect(drive.pass(500)).toEqual(['spawn']);
  });

  it.each([
    [2, 'config-invalid'],
    [3, 'schema-too-new'],
    [6, 'other-cluster'],
  ])('with code %i stops for good: %s', (code, why) => {
    const drive = ended(code);
    expect(drive.state).toMatchObject({ state: 'stopped', why });
    expect(drive.pass(3_600_000)).toEqual([]);
    expect(drive.on({ kind: 'config-changed' })).toEqual(['spawn']);
  });

  it('by a signal, or without a beginning, leads to another start', () => {
    const killed = Drive.running();
    killed.on({ kind: 'exited', end: exit(0, { code: null, signal: 'SIGKILL' }), random: 0 });
    expect(killed.state.state).toBe('backing-off');
    const absent = new Drive();
    absent.on({ kind: 'start-asked' });
    absent.on({ kind: 'exited', end: exit(0, { code: null, startError: 'ENOENT' }), random: 0 });
    expect(absent.state.state).toBe('backing-off');
  });

  const abort: Happening = { kind: 'exited', end: exit(6, { isCodeCertain: false }), random: 0 };
  const goodbye: Happening = { kind: 'goodbye', code: 6, reason: 'The database belongs to cluster B.' };

  it('that may be a signal is permanent only by the agent’s own word, before or after it', () => {
    const aborted = Drive.running();
    aborted.on(abort);
    expect(aborted.state.state).toBe('backing-off');
    const said = Drive.running();
    said.on(goodbye, abort);
    expect(said.state).toMatchObject({ state: 'stopped', why: 'other-cluster' });
    const saidLate = Drive.running();
    saidLate.on(abort, goodbye);
    expect(saidLate.state).toMatchObject({ state: 'stopped', why: 'other-cluster' });
  });
});

describe('back-off', () => {
  it('grows from 0.5 s by 2.5 to 60 s, and jitter only lengthens', () => {
    const nominal = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((failures) => restartWaitMs(failures, 0));
    expect(nominal).toEqual([500, 1_250, 3_125, 7_813, 19_531, 48_828, 60_000, 60_000, 60_000]);
    expect(restartWaitMs(1, 0.999)).toBeLessThanOrEqual(600);
    expect(restartWaitMs(7, 0.999)).toBeLessThanOrEqual(72_000);
  });

  it('at its longest is called given up for now, and tries once a minute for ever', () => {
    const drive = new Drive();
    drive.on({ kind: 'start-asked' });
    for (let run = 1; run <= 100; run += 1) {
      drive.on(exited(70));
      expect(drive.state.state).toBe(run < 7 ? 'backing-off' : 'gave-up-for-now');
      while (drive.state.state !== 'starting') drive.pass(250);
    }
  });

  it('begins anew after a run of 60 s, not before', () => {
    const drive = Drive.running();
    drive.on(exited(70));
    drive.pass(500);
    drive.on({ kind: 'hello', protocol: 1 });
    drive.pass(59_000, () => drive.on(beatLoop));
    expect(drive.state.failures).toBe(1);
    drive.pass(1_000, () => drive.on(beatLoop));
    expect(drive.state.failures).toBe(0);
  });

  it('is skipped when a person asks, or when config.ini changes', () => {
    for (const kind of ['start-asked', 'restart-asked', 'config-changed'] as const) {
      const drive = Drive.running();
      drive.on(exited(70));
      expect(drive.on({ kind })).toEqual(['spawn']);
    }
  });
});

describe('a stop', () => {
  it('is given longer than the agent gives itself', () => {
    expect(STOP_ASK_MS).toBeGreaterThan(STOP_LIMIT_MS);
  });

  it('asks, after 22 s sends SIGTERM, after 5 s more SIGKILL, and again', () => {
    const drive = Drive.running();
    expect(drive.on({ kind: 'stop-asked' })).toEqual(['ask-stop']);
    expect(drive.pass(21_750)).toEqual([]);
    expect(drive.pass(250)).toEqual(['terminate']);
    expect(drive.pass(5_000)).toEqual(['kill']);
    expect(drive.pass(5_000)).toEqual(['kill']);
    expect(drive.state.state).toBe('stopping');
    drive.on({ kind: 'exited', end: exit(0, { code: null, signal: 'SIGKILL' }), random: 0 });
    expect(drive.state).toMatchObject({ state: 'stopped', why: 'asked' });
  });

  it('of an unresponsive agent asks for 2 s only', () => {
    const drive = Drive.running();
    drive.pass(3_000);
    expect(drive.on({ kind: 'stop-asked' })).toEqual(['ask-stop']);
    expect(drive.pass(2_000)).toEqual(['terminate']);
  });

  it('cancels a planned start, and is no crash', () => {
    const drive = Drive.running();
    drive.on(exited(70), { kind: 'stop-asked' });
    expect(drive.state).toMatchObject({ state: 'stopped', why: 'asked' });
    expect(drive.pass(120_000)).toEqual([]);
    const orderly = Drive.running();
    orderly.on({ kind: 'stop-asked' }, exited(0));
    expect(orderly.state).toMatchObject({ state: 'stopped', lastEnd: null });
  });

  it('asked for a restart starts anew at the exit, and the last wish wins', () => {
    const restart = Drive.running();
    expect(restart.on({ kind: 'restart-asked' })).toEqual(['ask-stop']);
    expect(restart.on(exited(0))).toEqual(['spawn']);
    const changed = Drive.running();
    changed.on({ kind: 'restart-asked' }, { kind: 'stop-asked' });
    expect(changed.on(exited(0))).toEqual([]);
  });

  it('by a person holds when config.ini changes', () => {
    const drive = Drive.running();
    drive.on({ kind: 'stop-asked' }, exited(0));
    expect(drive.on({ kind: 'config-changed' })).toEqual([]);
  });
});
