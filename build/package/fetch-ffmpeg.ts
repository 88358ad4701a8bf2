import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { FfmpegArchive } from './ffmpeg-builds.ts';
import { type PackageTarget, programFile, targetName } from './target.ts';

const run = promisify(execFile);
/** A build is some 100 MB. */
const LIMIT_MS = 15 * 60_000;
const CHECKSUM_LIMIT_MS = 30_000;
const WAY_OUT = 'Or put ffmpeg and ffprobe into a folder yourself and name it with --ffmpeg.';

/** What to fetch. */
export interface FetchOrder {
  target: PackageTarget;
  archives: readonly FfmpegArchive[];
  /** Folder that gets the programs; made. */
  folder: string;
  /** Takes only files whose digest is pinned. */
  isRelease: boolean;
}

/**
 * Fetches ffmpeg and ffprobe, each file verified before anything of it is unpacked. Answers what was taken, with the digests.
 * Throws, and leaves nothing, when the network is away, a file is not whole or not the expected one, or nothing says what to
 * expect.
 */
export async function fetchFfmpeg({ target, archives, folder, isRelease }: FetchOrder): Promise<string[]> {
  if (archives.length === 0) throw new Error(`No build of ffmpeg is known for ${targetName(target)}. ${WAY_OUT}`);
  const work = await mkdtemp(join(tmpdir(), 'isg-pro-ffmpeg-'));
  try {
    const said: string[] = [];
    for (const archive of archives) {
      const expected = await expectedDigest(archive, isRelease);
      const file = join(work, `${said.length}.zip`);
      const digest = await download(archive.url, file);
      if (digest !== expected) throw wrongFile(archive.url, digest, expected);
      await unpack(file, `${file}.d`);
      for (const program of archive.programs)
        await take(
          await find(`${file}.d`, programFile(program, target)),
          join(work, 'out', programFile(program, target)),
        );
      said.push(`${archive.url}: sha256 ${digest}${archive.sha256 === null ? ' (by the vendor, not pinned)' : ''}`);
    }
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(join(work, 'out'))) await take(join(work, 'out', name), join(folder, name));
    return said;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function expectedDigest({ url, sha256, checksumUrl }: FfmpegArchive, isRelease: boolean): Promise<string> {
  if (sha256 !== null) return sha256.toLowerCase();
  if (isRelease)
    throw new Error(
      `A release takes only a pinned ffmpeg, and the SHA-256 of ${url} is not in build/package/ffmpeg-builds.ts. ${WAY_OUT}`,
    );
  if (checksumUrl === null)
    throw new Error(
      `Nothing says what ${url} has to be: its SHA-256 is not in build/package/ffmpeg-builds.ts. ${WAY_OUT}`,
    );
  const text = await (await get(checksumUrl, CHECKSUM_LIMIT_MS)).text().catch((thrown: unknown) => {
    throw brokenOff(checksumUrl, thrown);
  });
  const [digest] = /\b[0-9a-f]{64}\b/i.exec(text) ?? [];
  if (digest === undefined) throw new Error(`${checksumUrl} holds no SHA-256. ${WAY_OUT}`);
  return digest.toLowerCase();
}

async function get(url: string, limitMs: number): Promise<Response> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(limitMs) }).catch((thrown: unknown) => {
    throw new Error(
      `${url} cannot be reached (${reasonOf(thrown)}). Is there a network, or a proxy to be named? ${WAY_OUT}`,
    );
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}. ${WAY_OUT}`);
  return answer;
}

async function download(url: string, file: string): Promise<string> {
  const answer = await get(url, LIMIT_MS);
  const hash = createHash('sha256');
  if (answer.body === null) throw new Error(`${url} answered nothing. ${WAY_OUT}`);
  const counted = Readable.from(answer.body, { objectMode: false }).on('data', (bytes: Uint8Array) =>
    hash.update(bytes),
  );
  await pipeline(counted, createWriteStream(file)).catch((thrown: unknown) => {
    throw brokenOff(url, thrown);
  });
  return hash.digest('hex');
}

function brokenOff(url: string, thrown: unknown): Error {
  return new Error(`${url} broke off (${reasonOf(thrown)}); nothing of it was taken. Try again. ${WAY_OUT}`);
}

function wrongFile(url: string, found: string, expected: string): Error {
  return new Error(
    `${url} is not the expected file (sha256 ${found}, expected ${expected}); nothing of it was taken. ${WAY_OUT}`,
  );
}

function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  if (cause instanceof Error && 'code' in cause) return String(cause.code);
  return cause instanceof Error ? cause.message : String(cause);
}

/** By the system's own program: Windows and macOS unpack zip files with tar. */
async function unpack(file: string, folder: string): Promise<void> {
  await mkdir(folder);
  const isLinux = process.platform === 'linux';
  const args = isLinux ? ['-q', file, '-d', folder] : ['-xf', file, '-C', folder];
  await run(isLinux ? 'unzip' : 'tar', args).catch((thrown: unknown) => {
    throw new Error(
      `${basename(file)} cannot be unpacked: ${reasonOf(thrown)}. Is ${isLinux ? 'unzip' : 'tar'} installed? ${WAY_OUT}`,
    );
  });
}

async function find(folder: string, name: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && entry.name === name);
  if (found) return join(found.parentPath, found.name);
  throw new Error(`The file that was fetched holds no ${name}. ${WAY_OUT}`);
}

async function take(from: string, to: string): Promise<void> {
  await mkdir(join(to, '..'), { recursive: true });
  await copyFile(from, to);
  await chmod(to, 0o755);
}
