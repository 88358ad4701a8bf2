import { expect, it } from 'vitest';
import { countingSleep, SleepLedger, systemClock } from '../../../agent/runtime/clock.ts';

/** Two clocks of a machine; `uptime` is read to the hundredth of a second. */
const machine = () => {
  const time = { awakeMs: 1_000, asleepMs: 0, busyMs: 0 };
  const awake = () => time.awakeMs;
  const uptime = () => {
    time.awakeMs += time.busyMs;
    return Math.floor((50_000 + time.awakeMs + time.asleepMs) / 10) * 10;
  };
  return { time, now: countingSleep(awake, uptime) };
};

it('counts the time in which the machine was suspended, once', () => {
  const { time, now } = machine();
  const before = now();
  time.awakeMs += 100;
  time.asleepMs += 60_000;
  expect(now() - before).toBeGreaterThan(60_000);
  const woken = now();
  time.awakeMs += 40;
  expect(now() - woken).toBe(40);
});

it('takes neither coarse readings nor a pause between them for sleep, and never goes back', () => {
  const { time, now } = machine();
  let last = now();
  for (let step = 0; step < 1_000; step++) {
    time.awakeMs += 3.7;
    time.busyMs = step % 100 === 0 ? 2_000 : 0;
    const next = now();
    expect(next - last).toBeCloseTo(3.7 + time.busyMs, 6);
    last = next;
  }
});

it('agrees with that of another thread that shares its ledger, whichever noticed the sleep', () => {
  const time = { awakeMs: 1_000, asleepMs: 0 };
  const awake = () => time.awakeMs;
  const uptime = () => 50_000 + time.awakeMs + time.asleepMs;
  const ledger = new SleepLedger({ aheadMs: uptime() - awake() });
  const main = countingSleep(awake, uptime, ledger);
  time.asleepMs = 30_000;
  expect(main()).toBe(31_000);
  const thread = countingSleep(awake, uptime, new SleepLedger({ memory: ledger.memory }));
  expect(thread()).toBe(31_000);
  time.asleepMs += 5_000;
  expect(thread()).toBe(36_000);
  expect(main()).toBe(36_000);
});

it('of this machine runs at the rate of its timers', async () => {
  const before = systemClock.monotonicMs();
  await systemClock.sleep(50);
  const passed = systemClock.monotonicMs() - before;
  expect(passed).toBeGreaterThan(45);
  expect(passed).toBeLessThan(5_000);
});
