import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ROLES } from '../../../agent/contract/index.ts';
import { readPostmasterFile } from '../../../agent/embedded-db/server-process.ts';
import { carryOut } from '../../../agent/service/carry-out.ts';
import { foreignNames } from '../../../agent/service/service-rules.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';
import { untilKeeperGone } from '../../support/embedded-template.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { assertRoot } from '../../support/privileges.ts';

const AGENT = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));
/** `nobody`: an account without any rights of its own. */
const NOBODY = 65_534;
/** Another one. */
const DAEMON = 1;

// Two starts and a new database, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000 });

let dir = '';
let standIn: StandIn | null = null;
let agent: ChildProcess | null = null;
let output = '';
const data = () => join(dir, 'data');

beforeEach(() => {
  assertRoot('to start an agent as another account');
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-unprivileged-'));
  // the account passes, and lists nothing
  chmodSync(dir, 0o711);
  for (const name of ['data', 'media']) {
    mkdirSync(join(dir, name), { mode: 0o750 });
    chownSync(join(dir, name), NOBODY, NOBODY);
  }
});
afterEach(async () => {
  if (agent !== null && agent.exitCode === null && agent.kill('SIGKILL')) await once(agent, 'exit');
  agent = null;
  await standIn?.close();
  standIn = null;
  // the keeper of the database lingers; asked by a signal it stops at once
  const started = readIfThere(join(data(), 'embedded-db', 'keeper.log')).matchAll(/^\S+ (\d+) (?:started|adopted)/gm);
  const keeper = [...started].at(-1)?.[1];
  if (keeper !== undefined) {
    process.kill(Number(keeper), 'SIGTERM');
    await untilKeeperGone(data());
  }
  rmSync(dir, { recursive: true, force: true });
});

const readIfThere = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

function writeConfig(lines: readonly string[]): void {
  const path = join(dir, 'config.ini');
  writeFileSync(path, `[main]\n${lines.join('\n')}\n`, { mode: 0o640 });
  chownSync(path, 0, NOBODY);
}

/** As a service manager starts it, in an environment that has nothing of ours. */
function startService(account = NOBODY): ChildProcess {
  output = '';
  const args = [AGENT, '--service', '--config', join(dir, 'config.ini'), '--data-dir', data()];
  const env = { PATH: process.env.PATH, LANG: 'C.UTF-8' };
  const child = spawn(process.execPath, args, {
    uid: account,
    gid: account,
    cwd: '/',
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return child;
}

/** An iconik with one storage and one gateway, and a config.ini that names them. */
async function configure(): Promise<void> {
  standIn = await createStandIn({ dataDir: join(dir, 'iconik') });
  const seeded = standIn.seed({
    storages: [{ name: 'NAS', mountPoint: join(dir, 'media') }],
    gateways: [{ name: 'node-a', roles: [...ROLES] }],
  });
  writeConfig([
    `iconik-url = ${standIn.url}`,
    `app-id = ${standIn.appId}`,
    `auth-token = ${standIn.authToken}`,
    `storage-gateway-id = ${seeded.gatewayIds[0]}`,
  ]);
}

const untilSaid = (words: RegExp) => expect.poll(() => output, { timeout: 90_000, interval: 100 }).toMatch(words);

describe.runIf(process.platform === 'linux')(
  'an agent that a service manager runs under an account without rights',
  () => {
    it('waits while config.ini is wrong, comes back when it is mended, and leads with its own database', async () => {
      writeConfig(['app-id = a']);
      agent = startService();
      await untilSaid(/looks again in 60 s, or as soon as .*config\.ini changes/);
      // not every service manager keeps what a service prints
      await expect
        .poll(() => readIfThere(join(data(), 'logs', 'service.log')), { timeout: 5_000 })
        .toMatch(/auth-token/);

      await configure();
      await once(agent, 'exit');
      expect(agent.exitCode, 'the manager is told why, and starts it again').toBe(2);

      agent = startService();
      await untilSaid(/This node leads the cluster/);
      expect(readIfThere(join(data(), 'logs', 'agent.log'))).toMatch(/This node leads the cluster/);
      const postmaster = await readPostmasterFile(join(data(), 'embedded-db', 'pg'));
      expect(statSync(`/proc/${postmaster?.pid}`).uid).toBe(NOBODY);

      agent.kill('SIGTERM');
      await once(agent, 'exit');
      expect(agent.exitCode).toBe(0);
      expect(foreignNames(readdirSync(data())), 'names that would keep the folder from being a service’s').toEqual([]);
    });

    it.skipIf(!isLong)(
      `finds its database whole when the folder goes to another account, as an installation does it${onlyLong}`,
      async () => {
        await configure();
        agent = startService();
        await untilSaid(/This node leads the cluster/);
        agent.kill('SIGTERM');
        await once(agent, 'exit');
        const postmaster = await readPostmasterFile(join(data(), 'embedded-db', 'pg'));
        expect(existsSync(`/proc/${postmaster?.pid}/cwd`), 'the database outlives the agent').toBe(true);

        const said: string[] = [];
        const steps = [{ kind: 'await-database', dataDir: data() } as const];
        expect(await carryOut(steps, { say: (line) => void said.push(line) })).toEqual({ kind: 'done' });
        expect(said.join()).toMatch(/waiting for the embedded database to stop/);
        // its journal is closed; the process itself goes in the next moment
        await expect.poll(() => existsSync(`/proc/${postmaster?.pid}/cwd`), { timeout: 10_000 }).toBe(false);
        execFileSync('chown', ['-R', `${DAEMON}:${DAEMON}`, data(), join(dir, 'media'), join(dir, 'config.ini')]);

        agent = startService(DAEMON);
        await untilSaid(/This node leads the cluster/);
        const now = await readPostmasterFile(join(data(), 'embedded-db', 'pg'));
        expect(statSync(`/proc/${now?.pid}`).uid).toBe(DAEMON);
      },
    );
  },
);
