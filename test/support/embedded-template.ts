import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tryLockFile } from '../../agent/cache/data-folder-lock.ts';
import { startEmbeddedDatabase } from '../../agent/embedded-db/embedded-database.ts';
import { findPostgresBinaries } from '../../agent/embedded-db/postgres-binaries.ts';
import { silentLogger } from '../../agent/runtime/logger.ts';

/**
 * The first start of an embedded database (initdb) costs about 2 s of processor time, and each cluster of the tests has a
 * database of its own. Where a test run names a folder for it, the first start is made once and its stopped result copied;
 * what a copy lacks is only the claim that a first start works, which test/integration/embedded-db proves.
 */

const run = promisify(execFile);
/** What decides how a fresh database looks, beside the binaries. */
const SOURCES = ['initialise-server.ts', 'database-folder.ts', 'server-user.ts'];
/** Of a stopped server: what its next start makes anew. */
const OF_THE_LAST_START = ['keeper.lock', 'keeper.log', 'postgres.log', 'port'];

/** Where templates lie, set by the configuration of a test run; `npm run demo` by hand has none and starts like a user's. */
const templatesFolder = (): string | undefined => process.env.ISG_PRO_TEST_TEMPLATES;

async function keyOfNow(): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([await findPostgresBinaries(), process.getuid?.() ?? null]));
  for (const name of SOURCES)
    hash.update(await readFile(fileURLToPath(new URL(`../../agent/embedded-db/${name}`, import.meta.url))));
  return hash.digest('hex').slice(0, 16);
}

/** Waits until the keeper of the database's folder, which holds a lock as long as it lives, is gone; throws after 15 s. */
export async function untilKeeperGone(dataDir: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (performance.now() < deadline) {
    const lock = tryLockFile(join(dataDir, 'embedded-db', 'keeper.lock'));
    if (lock) return lock.release();
    await sleep(50);
  }
  throw new Error('the keeper of the embedded database did not end');
}

/** Several processes may do this at once: the first to finish wins, the others throw theirs away. */
async function makeTemplate(template: string): Promise<void> {
  await mkdir(dirname(template), { recursive: true });
  const unfinished = await mkdtemp(`${template}.`);
  // PostgreSQL does not run as root; its user must be able to pass through.
  for (const folder of [dirname(template), unfinished]) await chmod(folder, 0o711);
  try {
    const database = await startEmbeddedDatabase({ dataDir: unfinished, log: silentLogger, lingerMs: 0 });
    await database.release();
    await untilKeeperGone(unfinished);
    for (const name of OF_THE_LAST_START) await rm(join(unfinished, 'embedded-db', name), { force: true });
    await rename(unfinished, template).catch((thrown: unknown) => {
      if (!existsSync(template)) throw thrown;
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/**
 * Fills a data folder that has no embedded database yet with one that was stopped, so that its start needs no initdb. Does
 * nothing where this run keeps no templates, or on Windows (copies there would lose their access lists).
 */
export async function copyEmbeddedTemplate(dataDir: string): Promise<void> {
  const folder = templatesFolder();
  if (folder === undefined || process.platform === 'win32') return;
  const template = join(folder, await keyOfNow());
  if (!existsSync(template)) await makeTemplate(template);
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  await run('cp', ['-a', join(template, 'embedded-db'), dataDir]);
}
