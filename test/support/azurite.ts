import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

/** Microsoft's own emulator of Azure storage. Not among the packages of this project: it has hundreds of its own. */
const VERSION = '3.37.0';

/** Account and key are any that the emulator is started with; they guard nothing. */
const ACCOUNT = 'isgpro';
const KEY = Buffer.from('the key of an emulator, which guards nothing').toString('base64');

const START_MS = 60_000;
const HOUR_MS = 3_600_000;

/** A running emulator with one container. */
export interface Azurite {
  /** URL of a blob with a signature that allows these operations: `r` read, `c` create, `w` write. `lifeMs` may be past. */
  blobUrl(name: string, permissions: string, lifeMs?: number): string;
  stop(): Promise<void>;
}

/** Folder with the installed emulator; it is installed there once. Throws with the reason when that is not possible. */
async function installedAzurite(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'isg-pro');
  const folder = join(cache, `azurite-${VERSION}`);
  if (existsSync(join(folder, 'node_modules/azurite/package.json'))) return folder;
  await mkdir(cache, { recursive: true });
  const made = await mkdtemp(join(cache, 'azurite-new-'));
  try {
    await writeFile(join(made, 'package.json'), JSON.stringify({ private: true }));
    const command = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--save-exact', `azurite@${VERSION}`];
    await promisify(execFile)('npm', command, { cwd: made, timeout: 10 * 60_000 });
    // Another test may have been faster: its copy is as good.
    await rename(made, folder).catch((thrown: unknown) => {
      if (!existsSync(join(folder, 'node_modules/azurite/package.json'))) throw thrown;
    });
  } catch (thrown) {
    throw new Error(
      `The tests of uploads to Azure need azurite ${VERSION}, which is not in ${folder} and could not be installed there with npm. Install it there (npm install azurite@${VERSION}) or give this machine a network.`,
      { cause: thrown },
    );
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  return folder;
}

/** Starts an emulator on a free port of loopback, its blobs in memory, with one container. */
export async function startAzurite(): Promise<Azurite> {
  const folder = await installedAzurite();
  const work = await mkdtemp(join(tmpdir(), 'azurite-'));
  const program = join(folder, 'node_modules/azurite/dist/src/blob/main.js');
  const options = ['--blobHost', '127.0.0.1', '--blobPort', '0', '--inMemoryPersistence'];
  const child = spawn(process.execPath, [program, ...options, '--disableTelemetry'], {
    cwd: work,
    env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${KEY}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await rm(work, { recursive: true, force: true });
  };
  try {
    const origin = await listening(child);
    const made = await fetch(`${origin}/${ACCOUNT}/objects?restype=container&${accountSignature()}`, { method: 'PUT' });
    if (made.status !== 201) throw new Error(`azurite made no container: ${made.status} ${await made.text()}`);
    const blobUrl: Azurite['blobUrl'] = (name, permissions, lifeMs = HOUR_MS) =>
      `${origin}/${ACCOUNT}/objects/${name.split('/').map(encodeURIComponent).join('/')}?${blobSignature(name, permissions, lifeMs)}`;
    return { blobUrl, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/** Waits for the line that names the address. */
async function listening(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  if (!child.stdout || !child.stderr) throw new Error('azurite has no output');
  child.stderr.on('data', (text: Buffer) => said.push(text.toString()));
  const lines = createInterface({ input: child.stdout });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.on('line', (line) => {
    said.push(line);
    const origin = /listens on (http:\/\/127\.0\.0\.1:\d+)|listening (?:at|on) (http:\/\/127\.0\.0\.1:\d+)/i.exec(line);
    if (origin) resolve(origin[1] ?? origin[2] ?? '');
  });
  child.once('error', reject);
  child.once('exit', (code) => reject(new Error(`azurite ended with ${code}: ${said.join('\n')}`)));
  const late = setTimeout(() => reject(new Error(`azurite did not start: ${said.join('\n')}`)), START_MS);
  return await promise.finally(() => clearTimeout(late));
}

const SAS_VERSION = '2020-10-02';
const dateOf = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19)}Z`;

function signed(fields: readonly string[]): string {
  return createHmac('sha256', Buffer.from(KEY, 'base64')).update(fields.join('\n')).digest('base64');
}

/** A signature of the whole account, for making the container. */
function accountSignature(): string {
  const expires = dateOf(Date.now() + HOUR_MS);
  const signature = signed([ACCOUNT, 'rwc', 'b', 'c', '', expires, '', '', SAS_VERSION, '']);
  const fields = { sv: SAS_VERSION, ss: 'b', srt: 'c', sp: 'rwc', se: expires, sig: signature };
  return new URLSearchParams(fields).toString();
}

/** A signature of one blob, as Azure's documents put it together: 16 fields for this version. */
function blobSignature(name: string, permissions: string, lifeMs: number): string {
  const expires = dateOf(Date.now() + lifeMs);
  const place = `/blob/${ACCOUNT}/objects/${name}`;
  const empty = ['', '', '', '', ''];
  const signature = signed([permissions, '', expires, place, '', '', '', SAS_VERSION, 'b', '', ...empty]);
  const fields = { sv: SAS_VERSION, sr: 'b', sp: permissions, se: expires, sig: signature };
  return new URLSearchParams(fields).toString();
}
