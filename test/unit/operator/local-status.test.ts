import { request } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { type MetricsListener, startMetricsListener } from '../../../agent/operator/local-status/metrics-listener.ts';
import { metricsOf } from '../../../agent/operator/local-status/metrics-text.ts';
import { statusWords } from '../../../agent/operator/local-status/status-file.ts';
import { idleSnapshot } from '../../../agent/operator/snapshot.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

const identity = {
  storageGatewayId: 'gw',
  workerId: 'w',
  version: '1.2.3',
  host: 'h',
  startedMs: 0,
  dataDir: '/d',
  iconikUrl: 'http://i/',
};
const idle = idleSnapshot(
  identity,
  { phase: 'waiting-for-iconik', reason: 'iconik is away', isDuplicate: false },
  1_000,
);
const leading: NodeSnapshot = {
  ...idle,
  phase: 'running',
  reason: '',
  leadership: { standing: 'leader', term: 42, leaderName: 'node-a', sinceMs: null, why: '' },
  roles: [{ role: 'CHECKSUM', state: 'working', why: '', running: 2, limit: 4, queued: 0, lastFailure: null }],
  checks: [
    { check: 'database', status: 'ok', reason: '', remedy: '' },
    { check: 'storage:s', status: 'failing', reason: 'not mounted', remedy: 'Mount it.' },
  ],
};

let listener: MetricsListener | null = null;
afterEach(async () => {
  await listener?.close();
  listener = null;
});

async function serve(snapshot: NodeSnapshot): Promise<number> {
  return new Promise((resolve) => {
    const take = () => metricsOf(snapshot, { waitingRecords: 7, bytes: 4_096 }, '1.2.3');
    listener = startMetricsListener({ port: 0, take, log: silentLogger, onListening: resolve });
  });
}

function get(port: number, host: string, path = '/metrics'): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers: { host } }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => {
        text += String(chunk);
      });
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

it('metrics say who leads, what runs, which check fails and what waits', async () => {
  const { status, text } = await get(await serve(leading), '127.0.0.1:9000');
  expect(status).toBe(200);
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'isg_info{version="1.2.3"} 1',
      'isg_leader 1',
      'isg_leader_term 42',
      'isg_jobs_running{role="CHECKSUM"} 2',
      'isg_check_ok{check="database"} 1',
      'isg_check_ok{check="storage:s"} 0',
      'isg_outbox_records 7',
    ]),
  );
});

it('metrics are refused to a page of another site that points its name here, and only /metrics is served', async () => {
  const port = await serve(leading);
  expect((await get(port, 'evil.example')).status).toBe(403);
  expect((await get(port, `localhost.evil.example:${port}`)).status).toBe(403);
  expect((await get(port, `localhost:${port}`, '/status')).status).toBe(404);
});

it('the status in words says how old it is, and when nobody keeps it fresh', () => {
  const status = { pid: 5, snapshot: leading, log: { waitingRecords: 7, bytes: 1 } };
  expect(statusWords(status, 4_000)).toEqual([
    'This node was running 3 s ago (process 5, version 1.2.3).',
    'Availability: unavailable (iconik is away)',
    'Leadership: leader, term 42',
    'CHECKSUM: working, 2 of 4 running',
    'Check database: ok',
    'Check storage:s: failing (not mounted)',
    'Log records on their way to the database: 7',
  ]);
  expect(statusWords(status, 601_000)[0]).toBe(
    'This node was running 10 min ago (process 5, version 1.2.3). The agent does not run now, or hangs.',
  );
});
