import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ObjectDisk, StoredObject } from './object-disk.ts';
import { ObjectStoreError } from './object-store-error.ts';

/** Chunks but the last are multiples of this, and an interrupted chunk is kept up to a multiple of it. */
const CHUNK_QUANTUM_BYTES = 256 * 1024;

interface Session {
  key: string;
  contentType: string;
  path: string;
  persistedBytes: number;
  isBusy: boolean;
  object?: StoredObject;
}

/** `Content-Range` of a chunk; total is null while it is not known (`*`). */
interface ContentRange {
  /** null: no bytes, only the question how far the upload is. */
  span: { first: number; last: number } | null;
  total: number | null;
}

/** Where an upload stands. */
export type SessionState = { kind: 'complete'; object: StoredObject } | { kind: 'incomplete'; persistedBytes: number };

/** GCS resumable uploads (reference C.9). */
export class ResumableSessions {
  readonly #disk: ObjectDisk;
  readonly #folder: string;
  readonly #sessions = new Map<string, Session>();

  constructor(disk: ObjectDisk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** Begins a session and returns its id. */
  start(key: string, contentType: string): string {
    const id = randomBytes(24).toString('base64url');
    this.#sessions.set(id, {
      key,
      contentType,
      path: join(this.#folder, `session-${id}`),
      persistedBytes: 0,
      isBusy: false,
    });
    return id;
  }

  async cancel(id: string): Promise<void> {
    await rm(this.#find(id).path, { force: true });
    this.#sessions.delete(id);
  }

  /** Takes a chunk, the whole object (no Content-Range), or a question how far it is. */
  async put(id: string, rangeHeader: string | undefined, body: Readable, lengthBytes: number): Promise<SessionState> {
    const session = this.#find(id);
    if (session.object) return { kind: 'complete', object: session.object };
    const range = rangeHeader === undefined ? wholeRange(lengthBytes) : parseContentRange(rangeHeader);
    if (session.isBusy)
      throw new ObjectStoreError(503, 'SessionBusy', 'another request of this session is being served');
    session.isBusy = true;
    try {
      if (range.span) await this.#append(session, { span: range.span, total: range.total }, body, lengthBytes);
      if (range.total === session.persistedBytes) return { kind: 'complete', object: await this.#finish(session) };
      return { kind: 'incomplete', persistedBytes: session.persistedBytes };
    } finally {
      session.isBusy = false;
    }
  }

  async #append(
    session: Session,
    range: { span: { first: number; last: number }; total: number | null },
    body: Readable,
    lengthBytes: number,
  ): Promise<void> {
    const { first, last } = range.span;
    const isFinal = range.total === last + 1;
    if (lengthBytes !== last - first + 1)
      throw new ObjectStoreError(400, 'InvalidArgument', 'Content-Range and Content-Length differ');
    if (!isFinal && lengthBytes % CHUNK_QUANTUM_BYTES !== 0)
      throw new ObjectStoreError(400, 'InvalidArgument', 'a chunk that is not the last must be a multiple of 256 KiB');
    if (first > session.persistedBytes)
      throw new ObjectStoreError(400, 'InvalidArgument', `the next byte expected is ${session.persistedBytes}`);
    let skipBytes = session.persistedBytes - first;
    let writtenBytes = 0;
    const file = createWriteStream(session.path, {
      flags: session.persistedBytes === 0 ? 'w' : 'r+',
      start: session.persistedBytes,
    });
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        const fresh = chunk.subarray(Math.min(skipBytes, chunk.length));
        skipBytes -= chunk.length - fresh.length;
        writtenBytes += fresh.length;
        if (!file.write(fresh)) await new Promise<void>((resolve) => file.once('drain', resolve));
      }
      session.persistedBytes += writtenBytes;
    } catch (thrown) {
      // The sender broke off: whole quanta stay, as GCS keeps them.
      session.persistedBytes += writtenBytes - (writtenBytes % CHUNK_QUANTUM_BYTES);
      throw thrown;
    } finally {
      await new Promise<void>((resolve) => file.end(() => resolve()));
      await truncate(session.path, session.persistedBytes);
    }
  }

  async #finish(session: Session): Promise<StoredObject> {
    const source = session.persistedBytes === 0 ? Readable.from([]) : createReadStream(session.path);
    const bytes = await this.#disk.receive(source);
    session.object = await this.#disk.commit(session.key, bytes, session.contentType);
    await rm(session.path, { force: true });
    return session.object;
  }

  #find(id: string): Session {
    const session = this.#sessions.get(id);
    if (!session) throw new ObjectStoreError(404, 'NoSuchUpload', 'no such resumable session');
    return session;
  }
}

const wholeRange = (lengthBytes: number): ContentRange => ({
  span: lengthBytes > 0 ? { first: 0, last: lengthBytes - 1 } : null,
  total: lengthBytes,
});

function parseContentRange(header: string): ContentRange {
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(header);
  if (!match) throw new ObjectStoreError(400, 'InvalidArgument', `Content-Range not understood: ${header}`);
  const [, first, last, total] = match;
  return {
    span: first === undefined ? null : { first: Number(first), last: Number(last) },
    total: total === '*' ? null : Number(total),
  };
}
