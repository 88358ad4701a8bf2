import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, posix, win32 } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileRecord } from '../../../agent/iconik/api.ts';
import {
  keyframeFilename,
  posterFilename,
  scrubSheetFilename,
} from '../../../agent/roles/transcode/rendition-record.ts';
import { planDownload } from '../../../agent/roles/transfer/download-plan.ts';
import { planExport } from '../../../agent/roles/transfer/export-plan.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { absolutePathIn, pathSegments, unwritableName } from '../../../agent/storage/storage-path.ts';
import { isLong } from '../../support/long-version.ts';
import { useStorages } from './storage-fixture.ts';

/** Names at a time, and how often: 320 in all, many more in the long version. */
const AT_ONCE = 16;
const ROUNDS = isLong ? 500 : 20;
const SECRET = 'a secret outside of the storage';
const storages = useStorages();

/** What names are made of that want to lead elsewhere: through the path, through links, or by what a platform makes of them. */
const PATHS =
  '.. . ... / // \\ ..\\ ../ ~ %2e%2e %2f ..%2f ..;/ ..%c0%af ．． ‥ ⟦2e⟧⟦2e⟧ ⟦2f⟧ ⟦c0af⟧ ⟦e9⟧ /etc/passwd /tmp';
const LINKS =
  'out outfile up root dangling loop deep/out deep canary canary/secret ../canary/secret clip.mov .isg-pro-part-0';
const WINDOWS =
  'CON NUL aux.txt COM1 LPT9.mov con. nul C: C:\\ \\\\server\\share \\\\?\\C:\\ //server/share file: a:b a.';
const PIECES = [PATHS, LINKS, WINDOWS].flatMap((line) => line.split(' '));
PIECES.push('\0', '\n', ' ', '. ', 'a ', 'a\0b', '-rf', '\u202e', '\0/..', '.isg-pro-storage');
const hostile = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join('/')),
  fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join('')),
  fc
    .array(fc.constantFrom('..', '.', 'deep', 'up', 'out', 'canary', 'secret'), { minLength: 2, maxLength: 8 })
    .map((pieces) => pieces.join('/')),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
);

let storage: StorageAccess;
let base: string;
let server: Server;
const arrived: string[] = [];

beforeAll(async () => {
  base = await storages.directory();
  const mount = join(base, 'mount');
  for (const folder of ['canary', 'mount', 'mount/deep']) mkdirSync(join(base, folder));
  writeFileSync(join(base, 'canary/secret'), SECRET);
  writeFileSync(join(mount, 'clip.mov'), 'inside');
  const links = {
    out: '../canary',
    outfile: '../canary/secret',
    up: '..',
    root: '/',
    dangling: '../canary/nothing',
    loop: 'loop',
    'deep/out': '../../canary',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(mount, name));
  storage = await storages.open(mount);
  await storage.placeMarker();
  server = createServer((request, response) => {
    request
      .setEncoding('utf8')
      .on('data', (text: string) => arrived.push(text))
      .on('end', () => response.end('fetched'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** All that lies beside the storage, and the links inside it, as they are. */
function surroundings(): string {
  const lines: string[] = [];
  const look = (path: string, isInside: boolean) => {
    const facts = lstatSync(join(base, path), { bigint: true });
    const said = facts.isSymbolicLink() ? readlinkSync(join(base, path)) : '';
    if (!isInside || facts.isSymbolicLink())
      lines.push(`${path} ${facts.mode} ${facts.ino} ${facts.nlink} ${path === '' ? '' : facts.mtimeNs} ${said}`);
    if (!isInside && facts.isFile()) lines.push(readFileSync(join(base, path), 'utf8'));
    if (!facts.isDirectory()) return;
    const links = ['out', 'outfile', 'up', 'root', 'dangling', 'loop'];
    const names = isInside ? links.filter((name) => path === 'mount' || name === 'out') : readdirSync(join(base, path));
    for (const name of names) look(join(path, name), isInside || name === 'mount');
  };
  // The mount itself changes its time; what is in it may.
  look('canary', false);
  for (const name of ['out', 'outfile', 'up', 'root', 'dangling', 'loop', 'deep/out']) look(`mount/${name}`, true);
  return [...readdirSync(base), ...lines].join('\n');
}

/** All that the roles do with a name. */
async function attack(name: string, at: number): Promise<unknown[]> {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  const secret = lstatSync(join(base, 'canary/secret'), { bigint: true });
  const expected = { sizeBytes: Number(secret.size), mtimeNs: String(secret.mtimeNs) };
  const part = { path: name, offsetBytes: 0, lengthBytes: expected.sizeBytes, expected };
  // a name that no attack has: it would be a folder after some of them
  const committed = `.isg-pro-part-own-${at}`;
  await storage.writeText(committed, 'to be committed', 0);
  const did = await Promise.allSettled([
    storage.readText(name, 1_000),
    storage.readPart(part, {}),
    ...(at % 4 === 0 ? [storage.sendRange({ ...part, url, method: 'PUT', headers: {} }, {})] : []),
    storage.removeFile(name, expected),
    storage.removeDirectory(name),
    storage.writeText(name, 'written', 0),
    ...(at % 4 === 1 ? [storage.receiveFile({ url, path: `${name}/received`, sizeBytes: 7 }, {})] : []),
    storage.commitFile(committed, name),
    storage.commitFile(name, 'stolen'),
  ]);
  return did.map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)));
}

const record = (fields: Partial<FileRecord>): FileRecord => ({
  id: 'f',
  storage_method: null,
  upload_method: null,
  upload_url: null,
  multipart_upload_url: null,
  upload_credentials: null,
  upload_filename: null,
  name: 'clip.mov',
  original_name: 'clip.mov',
  directory_path: 'remote',
  size: 5,
  checksum: null,
  status: 'CLOSED',
  type: 'FILE',
  storage_id: 's',
  asset_id: 'a',
  version_id: null,
  format_id: 'fo',
  file_set_id: 'fs',
  url: null,
  ...fields,
});

/** What downloads and exports make of a name that iconik gives, in each place where it gives one. */
function plans(name: string): string[] {
  const order = {
    jobId: '7',
    destinationDirectoryPath: 'in',
    destinationFilename: null,
    includeOriginalExtension: true,
  };
  const proxy = { id: 'p', version_id: null, status: 'CLOSED', size: 1, filename: name } as never;
  const exported = {
    jobId: '7',
    versionId: null,
    destinationDirectoryPath: 'in',
    originalName: 'clip.mov',
    includeOriginalExtension: false,
    proxy: true,
    posters: false,
    metadata: null,
  };
  const sources = { proxies: [proxy], keyframes: [] };
  const made = [
    () => planDownload({ ...order, destinationDirectoryPath: name }, [record({})]),
    () => planDownload({ ...order, destinationFilename: name }, [record({})]),
    () => planDownload(order, [record({ original_name: name })]),
    () => planDownload(order, [record({ directory_path: name }), record({ id: 'g', directory_path: 'other' })]),
    () => planExport({ ...exported, destinationDirectoryPath: name }, sources).items,
    () => planExport({ ...exported, originalName: name }, sources).items,
    () => planExport(exported, sources).items,
  ].flatMap((plan) => {
    try {
      return plan();
    } catch {
      // Refused: nothing is done.
      return [];
    }
  });
  return made.flatMap(({ finalPath, partialPath }) => [finalPath, partialPath]);
}

describe('a name that wants to lead out of the storage', () => {
  it('reads, writes, makes and removes nothing outside, in any call', {
    timeout: isLong ? 1_800_000 : 120_000,
  }, async () => {
    const before = surroundings();
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (names) => {
        const digests = storage.digestMany(names, { withMd5: true });
        const answers = await Promise.all([digests, ...names.map((name, at) => attack(name, at))]);
        expect(JSON.stringify(answers)).not.toContain(SECRET);
        expect(surroundings()).toBe(before);
      }),
      { numRuns: ROUNDS },
    );
    expect(arrived.join('')).not.toContain(SECRET);
  });

  it('makes of a download or an export either nothing or something inside, on every platform', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        for (const path of plans(name)) {
          // Throws for what is no path inside.
          pathSegments(path, 'linux');
          if (!posix.join('/mnt/storage', path).startsWith('/mnt/storage/')) return false;
        }
        return true;
      }),
      { numRuns: 1_000 },
    );
  });

  it('is not the marker’s: no call of a role changes which storage this is', async () => {
    const marker = join(storage.mountPoint, '.isg-pro-storage');
    const [text, facts] = [readFileSync(marker, 'utf8'), lstatSync(marker, { bigint: true })];
    await storage.writeText('.isg-pro-part-own', 'x', 0);
    const expected = { sizeBytes: Number(facts.size), mtimeNs: String(facts.mtimeNs) };
    for (const name of ['.isg-pro-storage', '.ISG-pro-storage']) {
      const tried = await Promise.allSettled([
        storage.writeText(name, 'x', 0),
        storage.commitFile('.isg-pro-part-own', name),
        storage.commitFile(name, 'stolen'),
        storage.removeFile(name, expected),
      ]);
      for (const one of tried) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'outside-storage' } });
    }
    expect(readFileSync(marker, 'utf8')).toBe(text);
  });

  it('of an asset makes no path of the files that are made of it', () => {
    const isName = (name: string) => posix.basename(name) === name && win32.basename(name) === name;
    fc.assert(
      fc.property(hostile, (id) => [posterFilename(id), keyframeFilename(id, 1), scrubSheetFilename(id)].every(isName)),
      { numRuns: 1_000 },
    );
  });

  it('stays inside on Windows too, and means no device there', () => {
    fc.assert(
      fc.property(hostile, (name) => {
        let segments: string[];
        try {
          segments = pathSegments(name, 'win32');
        } catch {
          // Refused.
          return true;
        }
        const absolute = absolutePathIn('D:\\mnt', name, 'win32');
        const isInside = /^D:\\mnt(?:\\|$)/.test(win32.resolve(absolute).replace(/^\\\\\?\\/, ''));
        // Programs of other hands would open the device, or a file of another name, unless the path says that it is literal.
        const isOdd = segments.some((segment) => unwritableName(segment, 'win32') !== null);
        return isInside && (!isOdd || absolute.startsWith('\\\\?\\D:\\mnt\\'));
      }),
      { numRuns: 2_000 },
    );
  });
});
