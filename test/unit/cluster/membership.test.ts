import { expect, it } from 'vitest';
import type { BeatAnswer, Heartbeat } from '../../../agent/cluster/heartbeat.ts';
import { Membership } from '../../../agent/cluster/membership.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createManualClock } from '../iconik/manual-clock.ts';

const UNREGISTERED: BeatAnswer = { startedMs: 0, registered: false, holds: true };

const SELF = {
  workerId: 'w',
  runId: 'r',
  storageGatewayId: 'g',
  name: 'n',
  host: 'h',
  machineId: 'm',
  bootId: 'b',
  version: '1.0.0',
};

/** A membership that has started; `said` are the writes about its row that the database has carried out. */
async function startedMembership(whileStopping: (hear: (answer: BeatAnswer) => void) => void) {
  const said: string[] = [];
  let hold = Promise.resolve();
  let hear: (answer: BeatAnswer) => void = () => {};
  const heartbeat: Heartbeat = {
    start() {},
    say() {},
    beatNow: async () => ({ startedMs: 0, registered: true, holds: true }),
    onAnswer: (listener) => {
      hear = listener;
    },
    confirmedMs: () => 0,
    stop: async () => whileStopping(hear),
  };
  const membership = new Membership({
    database: {
      query: async () => [],
      execute: async (text) => {
        if (text.includes('INSERT INTO worker')) {
          await hold;
          said.push('registered');
        }
        if (text.includes('stopped')) said.push('goodbye');
        return 0;
      },
    },
    self: SELF,
    lapseMs: 6_000,
    clock: systemClock,
    log: silentLogger,
    heartbeat,
    status: () => ({ roles: [], availability: 'available', reason: '', health: [] }),
    trustedTerm: () => null,
    onHold: () => {},
    beatMs: 60_000,
  });
  await membership.start();
  const holdRegistrations = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    hold = promise;
    return resolve;
  };
  return { membership, said, hear: (answer: BeatAnswer) => hear(answer), holdRegistrations };
}

it('a run that stops does not register again when its last beat is told that another run has its row', async () => {
  const { membership, said } = await startedMembership((hear) => hear(UNREGISTERED));
  await membership.stop();
  expect(said).toEqual(['registered', 'goodbye']);
});

it('a run says goodbye only after a registration that was under way when it was told to stop', async () => {
  const { membership, said, hear, holdRegistrations } = await startedMembership(() => {});
  const letGo = holdRegistrations();
  hear(UNREGISTERED);
  const stopped = membership.stop();
  setImmediate(letGo);
  await stopped;
  expect(said).toEqual(['registered', 'registered', 'goodbye']);
});

it('frees the jobs of another run only once its heartbeat has stood still for the whole lapse time', async () => {
  const clock = createManualClock();
  let [beat, freed] = [0, 0];
  const other = { worker_id: 'o', run_id: 'other', storage_gateway_id: 'g2', name: 'o', host: 'h', version: '1.0.0' };
  const said = { roles: [], availability_status: 'available', status_reason: '', health: [], leads: false };
  const heard = { startedMs: 0, registered: true, holds: true };
  const membership = new Membership({
    database: {
      query: async (text, _values, row) =>
        text.includes('FROM worker ORDER BY') ? [row.parse({ ...other, ...said, heartbeat: String(beat) })] : [],
      execute: async (text, values) => {
        if (text.includes('leased_by = $1') && values[0] === 'other') freed += 1;
        return 0;
      },
    },
    self: SELF,
    lapseMs: 6_000,
    clock,
    log: silentLogger,
    heartbeat: {
      start() {},
      say() {},
      beatNow: async () => heard,
      onAnswer() {},
      confirmedMs: () => 0,
      stop: async () => {},
    },
    status: () => ({ roles: [], availability: 'available', reason: '', health: [] }),
    trustedTerm: () => null,
    onHold: () => {},
  });
  await membership.start();
  for (let second = 0; second < 20; second += 1) {
    beat += 1;
    await clock.advance(1_000);
  }
  await clock.advance(5_000);
  expect(freed).toBe(0);
  await clock.advance(2_000);
  expect(freed).toBeGreaterThan(0);
  const stopped = membership.stop();
  await clock.advance(10_000);
  await stopped;
});
