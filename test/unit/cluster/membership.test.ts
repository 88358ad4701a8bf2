import { expect, it } from 'vitest';
import type { BeatAnswer, Heartbeat } from '../../../agent/cluster/heartbeat.ts';
import { Membership } from '../../../agent/cluster/membership.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

const UNREGISTERED: BeatAnswer = { startedMs: 0, registered: false, holds: true };

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
    self: {
      workerId: 'w',
      runId: 'r',
      storageGatewayId: 'g',
      name: 'n',
      host: 'h',
      machineId: 'm',
      bootId: 'b',
      version: '1.0.0',
    },
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
