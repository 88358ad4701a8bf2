import { describe, expect, it } from 'vitest';
import type { NodeStatus } from '../../../../agent/roles/main/report/telemetry.ts';
import { createTelemetry } from '../../../../agent/roles/main/report/telemetry.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { IsgError } from '../../../../agent/runtime/errors.ts';
import { createLogger, type LogRecord } from '../../../../agent/runtime/logger.ts';

type Body = Record<string, unknown>;

/** Telemetry whose messages go to `post`, on a node whose state the test sets. */
function setUp(post: (body: Body, signal: AbortSignal | undefined) => Promise<void>, intervalMs = 1_000_000) {
  const state: { status: NodeStatus; isLeader: boolean } = { status: 'LIVE', isLeader: false };
  const records: LogRecord[] = [];
  const sent: Body[] = [];
  const telemetry = createTelemetry({
    iconik: {
      gateways: {
        postTelemetry: async (_id: string, body: Body, limits?: { signal?: AbortSignal }) => {
          await post(body, limits?.signal);
          sent.push(body);
        },
      },
    } as never,
    clock: systemClock,
    log: createLogger([(record) => records.push(record)], () => 0),
    storageGatewayId: 'gateway',
    workerId: 'worker',
    version: '1',
    host: { name: 'h', ip: '10.0.0.1', info: 'i' },
    start: { status: 'SUCCESS', message: '', atMs: 0 },
    nodeStatus: () => state.status,
    isLeader: () => state.isLeader,
    lines: () => ['line'],
    errorLines: () => [],
    intervalMs,
  });
  return { telemetry, state, records, sent };
}

const until = (condition: () => boolean) => expect.poll(condition, { timeout: 5000, interval: 5 }).toBe(true);

describe('telemetry', () => {
  it('is sent at the start, at a change of leadership, and says STOPPED last', async () => {
    const { telemetry, state, sent } = setUp(async () => {});
    await telemetry.start();
    await telemetry.start();
    await until(() => sent.length === 1);
    state.isLeader = true;
    telemetry.wake();
    await until(() => sent.length === 2);
    await telemetry.stop();
    await telemetry.stop();
    expect(sent.map((body) => [body.status, body.is_leader])).toEqual([
      ['LIVE', false],
      ['LIVE', true],
      ['STOPPED', false],
    ]);
    expect(sent[0]).toMatchObject({
      worker_id: 'worker',
      start_last_date: '1970-01-01T00:00:00.000Z',
      log_lines: ['line'],
    });
  });

  it('notices a change that nobody announced', async () => {
    const { telemetry, state, sent } = setUp(async () => {});
    await telemetry.start();
    await until(() => sent.length === 1);
    state.status = 'ERROR';
    await until(() => sent.length === 2);
    await telemetry.stop();
  });

  it('says a failure once and goes on', async () => {
    let isAway = true;
    let tries = 0;
    const { telemetry, records, sent } = setUp(async () => {
      tries += 1;
      if (isAway) throw new IsgError('iconik-unreachable', 'no answer', { retry: 'transient' });
    }, 5);
    await telemetry.start();
    await until(() => tries >= 4);
    isAway = false;
    await until(() => sent.length > 0);
    await telemetry.stop();
    expect(records.filter((record) => record.level === 'warn')).toHaveLength(1);
  });

  it('leaves each change that iconik could not be told in the log, once', async () => {
    let tries = 0;
    const { telemetry, state, records } = setUp(async () => {
      tries += 1;
      throw new IsgError('iconik-unreachable', 'no answer', { retry: 'transient' });
    }, 5);
    await telemetry.start();
    await until(() => tries >= 3);
    state.status = 'ERROR';
    const before = tries;
    await until(() => tries >= before + 3);
    await telemetry.stop();
    const told = records.flatMap(({ level, fields }) => (level === 'info' && fields.status ? [fields.status] : []));
    expect(told).toEqual(['LIVE', 'ERROR']);
  });

  it('ends its stop within the deadline when nothing answers, heeding no signal', async () => {
    const { telemetry } = setUp(() => new Promise(() => {}));
    await telemetry.start();
    const beganMs = performance.now();
    await telemetry.stop();
    expect(performance.now() - beganMs).toBeLessThan(3000);
  });

  it('is fine with a stop before any start', async () => {
    const { telemetry, sent } = setUp(async () => {});
    await telemetry.stop();
    expect(sent).toEqual([]);
  });
});
