import { expect, it } from 'vitest';
import { JobRescue } from '../../../agent/cluster/job-rescue.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createManualClock } from '../iconik/manual-clock.ts';

it('leaves leases that have run out to their owners for a while after an outage', async () => {
  const clock = createManualClock();
  const asked: string[] = [];
  const rescue = new JobRescue({
    database: {
      query: async () => [],
      execute: async (text) => {
        asked.push(text);
        return 0;
      },
    },
    self: { workerId: 'w', runId: 'r' },
    lapseMs: 6_000,
    clock,
    log: silentLogger,
    trustedTerm: () => null,
  });
  const looks = () => asked.filter((text) => text.includes('lease_expires_at < now()')).length;
  const steps = async (seconds: number) => {
    for (let at = 0; at < seconds; at += 1) {
      await clock.advance(1_000);
      rescue.step([]);
      await rescue.idle();
    }
  };
  await steps(8);
  expect(looks()).toBe(0);
  await steps(2);
  expect(looks()).toBe(2);
  await clock.advance(60_000);
  await steps(8);
  expect(looks()).toBe(2);
  await steps(1);
  expect(looks()).toBe(3);
});
