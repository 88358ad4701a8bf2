import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isServerOf, stopServer } from '../../../agent/embedded-db/server-process.ts';

let dataDir = '';
beforeEach(async () => {
  dataDir = await realpath(await mkdtemp(join(tmpdir(), 'isg-stop-server-')));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const onWindows = process.platform === 'win32';
const claim = `a server that dies while it is being stopped counts as stopped${onWindows ? ' (skipped: Windows has no sleep to stand in)' : ''}`;

it.skipIf(onWindows)(claim, async () => {
  const postgres = join(dataDir, 'postgres');
  await copyFile('/bin/sleep', postgres);
  const server = spawn(postgres, ['60'], { cwd: dataDir, stdio: 'ignore' });
  await once(server, 'spawn');
  await writeFile(join(dataDir, 'postmaster.pid'), `${server.pid}\n${dataDir}\n0\n5432\n`);
  expect(await isServerOf(server.pid ?? 0, dataDir)).toBe(true);
  // Stands for a pg_ctl that finds nobody to stop any more.
  const pgCtl = join(dataDir, 'pg_ctl');
  await writeFile(
    pgCtl,
    `#!/bin/sh\nkill -9 ${server.pid}\nwhile kill -0 ${server.pid} 2> /dev/null; do :; done\nexit 1\n`,
  );
  await chmod(pgCtl, 0o755);
  const place = { binaries: { initdb: '', postgres, pgCtl }, user: {}, dataDir, logFile: join(dataDir, 'log') };
  await stopServer(place);
  expect(server.signalCode).toBe('SIGKILL');
});
