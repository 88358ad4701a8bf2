import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { Pulse } from '../../../../agent/cluster/pulse/pulse.ts';
import { createLogger } from '../../../../agent/runtime/logger.ts';

/** The renewal thread itself; the database is away, which it bears. */

function pulseOf() {
  const logs: string[] = [];
  const log = createLogger([({ level, message }) => logs.push(`${level} ${message}`)], Date.now);
  const self = { workerId: randomUUID(), runId: randomUUID(), name: 'n' };
  const times = { ttlMs: 3_000, renewMs: 750, marginMs: 750 };
  return { logs, pulse: new Pulse({ uri: 'postgres://isg@127.0.0.1:1/isg', self, times, log }) };
}

it('a start is not waited for any longer once the pulse was stopped', async () => {
  const { pulse } = pulseOf();
  const started = pulse.start();
  await pulse.stop();
  await started;
  // A second stop, as at the end of a node, finds nothing to do.
  await pulse.stop();
});

it('no beat is sent after the heartbeat was stopped', async () => {
  const { pulse } = pulseOf();
  await pulse.start();
  try {
    pulse.heartbeat.start();
    await pulse.heartbeat.stop();
    await expect(pulse.heartbeat.beatNow()).rejects.toMatchObject({ code: 'stopped' });
  } finally {
    await pulse.stop();
  }
});

it('a number that is none is said and left out; the thread goes on', async () => {
  const { logs, pulse } = pulseOf();
  await pulse.start();
  try {
    pulse.leases.setVisibilityTimeout(Number.NaN);
    await expect.poll(() => logs.filter((line) => line.startsWith('error')), { timeout: 10_000 }).toHaveLength(1);
    // Messages are taken in order: an answer of the same thread comes after whatever the number did to it.
    await expect(pulse.heartbeat.beatNow()).rejects.toThrow(/connection/i);
    expect(logs.filter((line) => line.startsWith('error'))).toEqual([expect.stringContaining('left out')]);
  } finally {
    await pulse.stop();
  }
});
