import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { fetchFfmpeg } from '../../../build/package/fetch-ffmpeg.ts';
import { FFMPEG_BUILDS, type FfmpegArchive } from '../../../build/package/ffmpeg-builds.ts';
import { hostTarget, programFile } from '../../../build/package/target.ts';

const target = hostTarget();
const files = new Map<string, Buffer>();
let isCut = false;
const server: Server = createServer((request, response) => {
  const file = files.get(request.url ?? '');
  if (request.url === '/moved.zip') response.writeHead(302, { location: '/build.zip' }).end();
  else if (file === undefined) response.writeHead(404).end();
  else if (isCut && request.url?.endsWith('.zip')) {
    response
      .writeHead(200, { 'content-length': file.length })
      .write(file.subarray(0, file.length / 2), () => response.destroy());
  } else response.end(file);
});
let origin: string;
let base: string;
let folder: string;
let sha256: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const zip = new ZipFile();
  for (const name of ['ffmpeg', 'ffprobe'])
    zip.addBuffer(Buffer.from(`this is ${name}`), `build-8.0/bin/${programFile(name, target)}`);
  zip.end();
  const bytes = await buffer(zip.outputStream);
  sha256 = createHash('sha256').update(bytes).digest('hex');
  files.set('/build.zip', bytes);
  files.set('/build.zip.sha256', Buffer.from(`${sha256.toUpperCase()}  build.zip\n`));
  files.set('/wrong.sha256', Buffer.from(`${'0'.repeat(64)}\n`));
  files.set('/none.sha256', Buffer.from('not found, sorry'));
});
beforeEach(() => {
  isCut = false;
  if (base) rmSync(base, { recursive: true });
  base = mkdtempSync(join(tmpdir(), 'isg-pro-fetch-'));
  folder = join(base, 'ffmpeg');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(base, { recursive: true, force: true });
});

const archive = (fields: Partial<FfmpegArchive> = {}): FfmpegArchive => ({
  url: `${origin}/build.zip`,
  programs: ['ffmpeg', 'ffprobe'],
  sha256,
  checksumUrl: null,
  ...fields,
});
const fetchIt = (fields: Partial<FfmpegArchive> = {}, isRelease = false) =>
  fetchFfmpeg({ target, archives: [archive(fields)], folder, isRelease });

describe('an ffmpeg that is fetched for a package', () => {
  it('is what the table pins, also after a redirect, and can be run', async () => {
    expect(await fetchIt({ url: `${origin}/moved.zip` }, true)).toEqual([`${origin}/moved.zip: sha256 ${sha256}`]);
    for (const name of ['ffmpeg', 'ffprobe']) {
      expect(readFileSync(join(folder, programFile(name, target)), 'utf8')).toBe(`this is ${name}`);
      if (process.platform !== 'win32') expect(statSync(join(folder, name)).mode & 0o777).toBe(0o755);
    }
  });

  it('is, without a pin, what the vendor says, which is told; and is in no release', async () => {
    const unpinned = { sha256: null, checksumUrl: `${origin}/build.zip.sha256` };
    expect(await fetchIt(unpinned)).toEqual([expect.stringContaining('not pinned')]);
    rmSync(folder, { recursive: true });
    await expect(fetchIt(unpinned, true)).rejects.toThrow(/only a pinned ffmpeg.*--ffmpeg/);
    await expect(fetchIt({ sha256: null })).rejects.toThrow(/Nothing says/);
    expect(existsSync(folder)).toBe(false);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ['another file than the pinned one', () => fetchIt({ sha256: 'a'.repeat(64) }), /not the expected file/],
    [
      'another file than the vendor’s',
      () => fetchIt({ sha256: null, checksumUrl: `${origin}/wrong.sha256` }),
      /not the expected file/,
    ],
    [
      'a page in place of a digest',
      () => fetchIt({ sha256: null, checksumUrl: `${origin}/none.sha256` }),
      /no SHA-256/,
    ],
    ['a file that is gone', () => fetchIt({ url: `${origin}/gone.zip` }), /answered 404/],
    ['a server that is away', () => fetchIt({ url: 'http://127.0.0.1:1/build.zip' }), /cannot be reached.*--ffmpeg/],
    [
      'a name that nobody knows',
      () => fetchIt({ url: 'http://ffmpeg.invalid/build.zip' }),
      /cannot be reached.*--ffmpeg/,
    ],
    ['a machine without a build', () => fetchFfmpeg({ target, archives: [], folder, isRelease: true }), /No build/],
  ])('is not taken: %s', async (_what, attempt, words) => {
    await expect(attempt()).rejects.toThrow(words);
    expect(existsSync(folder)).toBe(false);
  });

  it('is not taken: a file that breaks off', async () => {
    isCut = true;
    await expect(fetchIt()).rejects.toThrow(/broke off/);
    expect(existsSync(folder)).toBe(false);
  });

  it('is known for each machine that packages are built for, over TLS', () => {
    expect(Object.keys(FFMPEG_BUILDS).toSorted()).toEqual([
      'linux-arm64',
      'linux-x64',
      'mac-arm64',
      'mac-x64',
      'win-x64',
    ]);
    for (const archives of Object.values(FFMPEG_BUILDS)) {
      expect(archives.flatMap(({ programs }) => programs).toSorted()).toEqual(['ffmpeg', 'ffprobe']);
      for (const { url, checksumUrl, sha256: pin } of archives) {
        expect([url, checksumUrl ?? url].every((one) => one.startsWith('https://'))).toBe(true);
        expect(pin ?? 'a'.repeat(64)).toMatch(/^[0-9a-f]{64}$/);
      }
    }
  });
});
