import { execFile, spawn } from 'node:child_process';
import { chown, mkdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { IsgError } from '../runtime/errors.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { ServerUser } from './server-user.ts';

const run = promisify(execFile);

/** What a new server gets. */
export interface NewServer {
  binaries: PostgresBinaries;
  user: ServerUser;
  /** Folder that will be PGDATA; must not exist. Its parent must be writable by us and passable by the server's user. */
  dataDir: string;
  superuser: string;
  password: string;
  /** Further initdb flags, for tests. */
  flags?: readonly string[];
}

/** Runs SQL in PostgreSQL's single-user mode: no port is opened, so nobody can be in the way. One statement per line. */
async function runSingleUser(server: NewServer, dataDir: string, database: string, statements: readonly string[]) {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(server.binaries.postgres, ['--single', '-D', dataDir, database], {
      ...server.user,
      cwd: dataDir,
      stdio: ['pipe', 'ignore', 'pipe'],
      windowsHide: true,
    });
    let complaint = '';
    child.stderr.on('data', (chunk) => {
      complaint += String(chunk);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      const failed = code !== 0 || /\b(ERROR|FATAL|PANIC):/.test(complaint);
      if (failed) reject(new Error(complaint.trim() || `exit code ${code}`));
      else resolve();
    });
    child.stdin.end(`${statements.join('\n')}\n`);
  });
}

/**
 * Makes a database server folder with database and schema `isg`. Built beside and renamed into place, so that a kill in the
 * middle leaves nothing that looks finished. Throws `database-refused` with initdb's own words.
 */
export async function initialiseServer(server: NewServer): Promise<void> {
  const unfinished = `${server.dataDir}.unfinished`;
  const passwordFile = join(server.dataDir, '..', 'initial-password');
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  const { uid, gid } = server.user;
  try {
    await writeFile(passwordFile, `${server.password}\n`, { mode: 0o600 });
    if (uid !== undefined && gid !== undefined) {
      await chown(unfinished, uid, gid);
      await chown(passwordFile, uid, gid);
    }
    const flags = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', `--username=${server.superuser}`];
    await run(
      server.binaries.initdb,
      ['-D', unfinished, `--pwfile=${passwordFile}`, ...flags, ...(server.flags ?? [])],
      {
        ...server.user,
        cwd: unfinished,
        env: { ...process.env, LC_ALL: 'C' },
      },
    );
    await runSingleUser(server, unfinished, 'postgres', ['CREATE DATABASE isg']);
    await runSingleUser(server, unfinished, 'isg', ['CREATE SCHEMA isg', 'ALTER DATABASE isg SET search_path = isg']);
    await rename(unfinished, server.dataDir);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message.trim().split('\n').slice(-3).join(' | ') : String(thrown);
    throw new IsgError('database-refused', `The embedded PostgreSQL could not be set up: ${why}`, {
      retry: 'transient',
      cause: thrown,
    });
  } finally {
    await unlink(passwordFile).catch(() => undefined);
  }
}
