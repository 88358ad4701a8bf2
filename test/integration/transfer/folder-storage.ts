import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { coerceError, IsgError } from '../../../agent/runtime/errors.ts';
import type {
  DigestResult,
  FileFacts,
  HttpAnswer,
  SendRange,
  StorageAccess,
} from '../../../agent/storage/storage-access.ts';

/** A storage that is a folder, in this process: for tests of what uses a storage, with real files and real HTTP. */
export function createFolderStorage(storageId: string, mountPoint: string): StorageAccess {
  const at = (path: string) => join(mountPoint, path);
  const statPath = async (path: string): Promise<FileFacts | null> => {
    try {
      const found = await stat(at(path), { bigint: true });
      const kind = found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other';
      return { kind, sizeBytes: Number(found.size), mtimeNs: String(found.mtimeNs), fileId: String(found.ino) };
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw thrown;
    }
  };
  const factsOf = async (path: string): Promise<FileFacts> => {
    const facts = await statPath(path);
    if (!facts) throw new IsgError('file-not-found', `${path} is not there`, { retry: 'permanent' });
    return facts;
  };
  const digest = async (path: string): Promise<DigestResult> => {
    const facts = await factsOf(path);
    const md5 = createHash('md5')
      .update(await readFile(at(path)))
      .digest('hex');
    // Not XXH3: nothing here compares it with anything but itself.
    return { md5, xxh128: md5, facts, changed: false };
  };
  const notNeeded = () => Promise.reject(new Error('not part of this double'));
  return {
    storageId,
    mountPoint,
    absolutePath: at,
    probe: async () => ({ kind: 'reachable', marker: 'right', empty: false, writable: true }),
    placeMarker: notNeeded,
    walk: notNeeded,
    watch: notNeeded,
    follow: notNeeded,
    stop: async () => undefined,
    stat: statPath,
    digest,
    digestMany: notNeeded,
    digestRange: async ({ path, offsetBytes, lengthBytes, algorithm, expected }) => {
      const before = await factsOf(path);
      if (before.sizeBytes !== expected.sizeBytes || before.mtimeNs !== expected.mtimeNs) {
        throw new IsgError('file-changed', `${path} changed`, { retry: 'permanent' });
      }
      const hash = createHash(algorithm);
      const range = { start: offsetBytes, end: offsetBytes + lengthBytes - 1 };
      if (lengthBytes > 0) for await (const chunk of createReadStream(at(path), range)) hash.update(chunk as Buffer);
      return hash.digest('hex');
    },
    readText: notNeeded,
    readPart: notNeeded,
    sendRange: async (send, options) => {
      const before = await factsOf(send.path);
      if (before.sizeBytes !== send.expected.sizeBytes || before.mtimeNs !== send.expected.mtimeNs) {
        throw new IsgError('file-changed', `${send.path} changed`, { retry: 'permanent' });
      }
      return await sendRange(at(send.path), send, options);
    },
    receiveFile: async (receive, { signal }) => {
      await mkdir(dirname(at(receive.path)), { recursive: true });
      const held = (await statPath(receive.path))?.sizeBytes ?? 0;
      const answer = await fetch(receive.url, { headers: { range: `bytes=${held}-` }, signal: signal ?? null });
      if (answer.status !== 200 && answer.status !== 206) {
        throw new IsgError('download-refused', `answer ${answer.status}`, { retry: 'permanent' });
      }
      const file = await open(at(receive.path), 'a+');
      if (answer.status === 200) await file.truncate(0);
      await file.appendFile(Buffer.from(await answer.arrayBuffer()));
      await file.close();
      return await digest(receive.path);
    },
    writeText: async (path, text, offsetBytes) => {
      if (offsetBytes !== 0) return await notNeeded();
      await mkdir(dirname(at(path)), { recursive: true });
      await writeFile(at(path), text);
      return Buffer.byteLength(text);
    },
    commitFile: async (from, to) => {
      await mkdir(dirname(at(to)), { recursive: true });
      try {
        await link(at(from), at(to));
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
        throw new IsgError('content-differs', `${to} exists`, { retry: 'permanent' });
      }
      await rm(at(from));
      return await factsOf(to);
    },
    removeFile: async (path, expected) => {
      const facts = await statPath(path);
      if (!facts) return 'absent';
      if (facts.sizeBytes !== expected.sizeBytes || facts.mtimeNs !== expected.mtimeNs) return 'differs';
      await rm(at(path));
      return 'removed';
    },
    removeDirectory: () => Promise.reject(new Error('transfers remove no directories')),
  };
}

async function sendRange(
  absolutePath: string,
  send: SendRange,
  options: { signal?: AbortSignal; onProgress?: (doneBytes: number) => void },
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const outgoing = httpRequest(send.url, {
    method: send.method,
    headers: { ...send.headers, 'content-length': String(send.lengthBytes) },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const fail = (thrown: unknown) =>
    reject(new IsgError('upload-refused', coerceError(thrown).message, { retry: 'transient', cause: thrown }));
  outgoing.on('error', fail);
  outgoing.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', fail);
    response.on('end', () => {
      const headers = Object.fromEntries(
        Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
      );
      resolve({ status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks).toString() });
    });
  });
  if (send.lengthBytes === 0) outgoing.end();
  else {
    let sent = 0;
    const range = { start: send.offsetBytes, end: send.offsetBytes + send.lengthBytes - 1 };
    const body = createReadStream(absolutePath, range);
    body.on('data', (chunk) => {
      sent += chunk.length;
      options.onProgress?.(sent);
    });
    pipeline(body, outgoing).catch(fail);
  }
  return await promise;
}
