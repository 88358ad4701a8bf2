import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createIconikApi, type IconikClient } from '../../../../agent/iconik/iconik-client.ts';
import { createSendLogFile } from '../../../../agent/iconik/send-log-file.ts';
import { createLogUpload } from '../../../../agent/roles/main/report/log-upload.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { createStandIn, type StandIn } from '../../../stand-in/stand-in.ts';

let folder: string;
let standIn: StandIn;
let iconik: IconikClient;
let account: ReturnType<StandIn['seed']>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isg-pro-logs-'));
  standIn = await createStandIn({ dataDir: join(folder, 'stand-in') });
  account = standIn.seed({
    storages: [{ name: 'NAS', mountPoint: folder }],
    gateways: [{ name: 'node', roles: ['MAIN'] }],
  });
  iconik = createIconikApi({
    baseUrl: standIn.url,
    appId: standIn.appId,
    authToken: standIn.authToken,
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    requestsPerSecond: 500,
  });
});
afterEach(async () => {
  const { violations, answerFaults } = standIn.state();
  await iconik.close();
  await standIn.close();
  rmSync(folder, { recursive: true, force: true });
  expect([violations, answerFaults]).toEqual([[], []]);
});

const SECRET = 'a-password-learned-late';
const logUpload = (mostBytes = 1e6) =>
  createLogUpload({
    send: createSendLogFile({ iconik, clock: systemClock, random: Math.random, proxyUrl: undefined }),
    folder: join(folder),
    redact: (text) => text.replaceAll(SECRET, '***'),
    mostBytes,
    workerId: '00000000-0000-4000-8000-000000000001',
    clock: systemClock,
    log: silentLogger,
  });

/** Writes a log file that is so many seconds old. */
function writeLog(name: string, text: string, ageS: number): void {
  const path = join(folder, name);
  writeFileSync(path, text);
  utimesSync(path, Date.now() / 1_000 - ageS, Date.now() / 1_000 - ageS);
}

/** What arrived, by the name of the file. */
function arrived(): { name: string; text: string }[] {
  return standIn
    .objects()
    .map(({ key, path }) => ({ name: basename(key), text: gunzipSync(readFileSync(path)).toString('utf8') }));
}

describe('the upload of the logs', () => {
  it('sends all log files of the node, oldest first, without secrets, and nothing else', async () => {
    writeLog('agent.1.log', 'older\n', 30);
    writeLog('agent.log', `newest ${SECRET}\n`, 10);
    writeLog('main.log', 'of the application\n', 20);
    writeLog('config.ini', 'auth-token = x\n', 1);
    const sent = await logUpload().upload({ storageId: account.storageIds[0] ?? '' }, AbortSignal.timeout(20_000));
    const [file, ...more] = arrived();
    expect(file?.name).toBe(sent);
    expect(more).toEqual([]);
    expect(file?.name).toMatch(/^isg-pro-00000000-0000-4000-8000-000000000001-\d{4}-.*Z\.log\.gz$/);
    expect(file?.text).toBe(
      '==== agent.1.log\nolder\n\n==== main.log\nof the application\n\n==== agent.log\nnewest ***\n\n',
    );
  });

  it('leaves the oldest out beyond its limit, and one wish at a time is enough', async () => {
    writeLog('agent.1.log', 'x'.repeat(600), 30);
    writeLog('agent.log', 'y'.repeat(600), 10);
    const upload = logUpload(1_000);
    const owner = { storageGatewayId: account.gatewayIds[0] ?? '' };
    const signal = AbortSignal.timeout(20_000);
    await Promise.all([upload.upload(owner, signal), upload.upload(owner, signal)]);
    expect(arrived().map(({ text }) => text)).toEqual([`==== agent.log\n${'y'.repeat(600)}\n`]);
  });

  it('says that iconik refused', async () => {
    const nowhere = { storageId: '00000000-0000-4000-8000-00000000dead' };
    await expect(logUpload().upload(nowhere, AbortSignal.timeout(20_000))).rejects.toMatchObject({
      code: 'iconik-not-found',
    });
  });
});
