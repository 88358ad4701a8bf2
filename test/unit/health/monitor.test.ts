import { afterEach, expect, it, vi } from 'vitest';
import { failing, type HealthCheck, ok } from '../../../agent/health/health-check.ts';
import { HealthMonitor } from '../../../agent/health/monitor.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { createLogger, type LogRecord, silentLogger } from '../../../agent/runtime/logger.ts';

let monitor: HealthMonitor;
const startMonitor = async (ask: HealthCheck['ask'], { log = silentLogger, timeoutMs = 30 } = {}) => {
  const check: HealthCheck = { name: 'storage:s1', everyMs: 20, timeoutMs, ask };
  monitor = new HealthMonitor({ checks: () => [check], clock: systemClock, log, onChange: () => {} });
  await monitor.start();
};
const verdict = (status: string) =>
  vi.waitFor(() => expect(monitor.verdict('storage:s1').status).toBe(status), { timeout: 3_000, interval: 10 });
afterEach(() => monitor.stop());

it('a check that was fine and then never answers is failing, is asked once, and recovers when it answers', async () => {
  const answer = Promise.withResolvers<ReturnType<typeof ok>>();
  let hangs = false;
  let asked = 0;
  await startMonitor(async () => {
    if (!hangs) return ok('storage:s1');
    asked += 1;
    return answer.promise;
  });
  await verdict('ok');
  hangs = true;
  await verdict('failing');
  expect(asked).toBe(1);
  hangs = false;
  answer.resolve(ok('storage:s1'));
  await verdict('ok');
});

it('a check that was replaced (another mount point) leaves its verdict and its late answer behind', async () => {
  const name = 'storage:s1';
  const late = Promise.withResolvers<ReturnType<typeof ok>>();
  const fresh = Promise.withResolvers<ReturnType<typeof ok>>();
  const pace = { name, everyMs: 20, timeoutMs: 30 };
  let current: HealthCheck = { ...pace, ask: () => late.promise };
  const told: string[] = [];
  const onChange = ({ status }: { status: string }) => told.push(status);
  monitor = new HealthMonitor({ checks: () => [current], clock: systemClock, log: silentLogger, onChange });
  await monitor.start();
  await verdict('failing');
  let asked = 0;
  current = {
    ...pace,
    timeoutMs: 10_000,
    ask: () => {
      asked += 1;
      return fresh.promise;
    },
  };
  expect([monitor.verdict(name).status, monitor.results()[0]?.status]).toEqual(['unknown', 'unknown']);
  await vi.waitFor(() => expect(asked).toBe(1), { timeout: 3_000 });
  late.resolve(ok(name));
  await late.promise;
  expect(monitor.verdict(name).status).toBe('unknown');
  fresh.resolve(failing(name, { reason: 'gone', remedy: '', certain: true }));
  await verdict('failing');
  expect(told).toEqual(['failing', 'failing']);
});

it('a check that the stop cut short is no failure', async () => {
  const told: string[] = [];
  const noted = Promise.withResolvers<void>();
  const sink = (record: LogRecord) => {
    told.push(record.level);
    noted.resolve();
  };
  const cut = Promise.withResolvers<ReturnType<typeof ok>>();
  const asked = Promise.withResolvers<void>();
  await startMonitor(
    async () => {
      asked.resolve();
      return cut.promise;
    },
    { log: createLogger([sink], () => 0), timeoutMs: 60_000 },
  );
  await asked.promise;
  await monitor.stop();
  cut.reject(new Error('The program was ended by SIGTERM.'));
  await noted.promise;
  expect(told).toEqual(['debug']);
  expect(monitor.verdict('storage:s1').status).toBe('unknown');
});

it('a failure is said when it begins and when it ends, however often its words count up meanwhile', async () => {
  const said: string[] = [];
  const log = createLogger([({ level, message }) => said.push(`${level} ${message}`)], () => 0);
  let seconds = 0;
  let isFailing = false;
  const reason = () => `No answer for ${seconds / 10} s.`;
  await startMonitor(
    async () => {
      seconds += 1;
      return isFailing ? failing('storage:s1', { reason: reason(), remedy: 'Look.', certain: true }) : ok('storage:s1');
    },
    { log, timeoutMs: 10_000 },
  );
  await verdict('ok');
  isFailing = true;
  await verdict('failing');
  const began = monitor.verdict('storage:s1').reason;
  // The window hears each of them.
  await vi.waitFor(() => expect(monitor.verdict('storage:s1').reason).not.toBe(began), {
    timeout: 3_000,
    interval: 10,
  });
  isFailing = false;
  await verdict('ok');
  expect(said).toEqual([
    expect.stringMatching(/^warn Health of storage:s1: No answer for [\d.]+ s\. Look\.$/),
    'info Health of storage:s1: fine again',
  ]);
});
