/** The body of a download: from the connection into the partial file, digested on its way. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type http from 'node:http';
import xxhash from 'xxhash-addon';
import { IsgError } from '../../runtime/errors.ts';
import { BodyStream } from './body-stream.ts';
import { classifyFileError } from './local-filesystem.ts';
import { classifyTransferError, loggableUrl, type TransferWatch } from './object-store.ts';

/** Written data is sent to the disk after each of these, so that the sync at the end is short on a slow storage. */
const SYNC_EVERY_BYTES = 256 * 1024 * 1024;
/** Gathered for one write: a connection gives 64 KiB at a time. Two of these are held per download. */
const WRITE_BYTES = 1024 * 1024;
/** XXH3 with seed 0. The constructor aborts the process when it gets no buffer. */
const SEED = Buffer.alloc(8);

/** Where a body goes. */
export interface BodyTarget {
  handle: FileHandle;
  /** Of the file, for messages. */
  path: string;
  /** Offset of the body's first byte. */
  start: number;
  /** Length of the whole file. */
  sizeBytes: number;
  watch: TransferWatch;
  /** Whether bytes may be taken only after `watch.leave` (the node's bandwidth is limited). */
  isPaced: () => boolean;
}

/** Digests of the bytes that came, as hex. */
export interface BodyDigests {
  md5: string;
  xxh128: string;
}

/** The server's answer is not the file: `what` completes "… answered 200". */
export function refusedAnswer(url: URL, status: number, what: string, transient: boolean): IsgError {
  return new IsgError('download-refused', `${loggableUrl(url)} answered ${status} ${what}.`, {
    retry: transient ? 'transient' : 'permanent',
    fields: { status },
  });
}

/** The server's file has another length than the record. */
export function otherLength(url: URL, found: number, expected: number): IsgError {
  return new IsgError(
    'content-differs',
    `${loggableUrl(url)} has ${found} bytes, but ${expected} were announced; it is not the file that was asked for.`,
    { retry: 'permanent', fields: { found, expected } },
  );
}

/**
 * Writes a body at its place, at most 2 MiB ahead of the disk; the stream waits when the disk is slower. Resolves with the
 * digests of the body when it is the whole file (`start` 0), else with null. Throws `download-refused` for one that ends
 * early, `content-differs` for one that is longer than the file, and what the disk says.
 */
export async function writeBody(
  target: BodyTarget,
  body: { response: http.IncomingMessage | BodyStream; url: URL },
): Promise<BodyDigests | null> {
  const { watch, sizeBytes, start } = target;
  const { response } = body;
  const writer = new BodyWriter(target);
  const digest = start === 0 ? new BodyDigest() : null;
  let at = start;
  watch.moved(at);
  const onAbort = () => response.destroy();
  watch.signal.addEventListener('abort', onAbort, { once: true });
  const take = (chunk: Buffer) => {
    if (at + chunk.length > sizeBytes) throw otherLength(body.url, at + chunk.length, sizeBytes);
    digest?.update(chunk);
    at += chunk.length;
  };
  const pace = async (bytes: number) => {
    for (let left = bytes; left > 0 && target.isPaced(); ) left -= await watch.leave(left);
  };
  try {
    if (response instanceof BodyStream) {
      response.onBytes((bytes) => watch.moved(start + bytes));
      for (let piece = await response.next(); piece; piece = await response.next()) {
        take(piece);
        if (target.isPaced()) await pace(piece.length);
        await writer.write(piece);
      }
    } else {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        take(chunk);
        if (target.isPaced()) await pace(chunk.length);
        await writer.gather(chunk);
        watch.moved(at);
      }
    }
    await writer.finish();
  } catch (thrown) {
    await writer.keepWhatCame();
    throw classifyTransferError(thrown, body.url, 'download-refused');
  } finally {
    watch.signal.removeEventListener('abort', onAbort);
  }
  if (at === sizeBytes) return digest?.result() ?? null;
  const what = `but ended after ${at} of ${sizeBytes} bytes`;
  throw refusedAnswer(body.url, response.statusCode ?? 0, what, true);
}

class BodyDigest {
  readonly #md5 = createHash('md5');
  readonly #fast = new xxhash.XXHash128(SEED);

  update(chunk: Buffer): void {
    this.#md5.update(chunk);
    this.#fast.update(chunk);
  }

  result(): BodyDigests {
    return { md5: this.#md5.digest('hex'), xxh128: this.#fast.digest().toString('hex') };
  }
}

/** Gathers chunks and writes them, one write on its way while the next is gathered. */
class BodyWriter {
  readonly #target: BodyTarget;
  #chunks: Buffer[] = [];
  #gatheredBytes = 0;
  #at: number;
  #syncedTo: number;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();

  constructor(target: BodyTarget) {
    this.#target = target;
    this.#at = target.start;
    this.#syncedTo = target.start;
  }

  /** Takes a chunk; resolves when there is room for another. Rejects when an earlier write failed. */
  async gather(chunk: Buffer): Promise<void> {
    this.#chunks.push(chunk);
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes >= WRITE_BYTES) await this.#write();
  }

  /** Begins to write a piece once the one before is written, and resolves then. Rejects when that failed. */
  async write(piece: Buffer): Promise<void> {
    this.#chunks.push(piece);
    this.#gatheredBytes += piece.length;
    await this.#write();
  }

  /** Writes what is left; resolves when all is written. */
  async finish(): Promise<void> {
    if (this.#gatheredBytes > 0) await this.#write();
    await this.#target.watch.onStorage(() => this.#writing);
    await this.#target.watch.onStorage(() => this.#syncing);
  }

  /** After a failure: what has come is worth keeping for the next call. Never rejects; then the file may be closed. */
  async keepWhatCame(): Promise<void> {
    const { watch } = this.#target;
    // A write that failed is told by the error that led here, or by the next call's.
    if (this.#gatheredBytes > 0) await this.#write().catch(() => {});
    await watch.onStorage(() => Promise.allSettled([this.#writing, this.#syncing]));
  }

  async #write(): Promise<void> {
    const { watch, handle, path } = this.#target;
    await watch.onStorage(() => this.#writing);
    const chunks = this.#chunks;
    const at = this.#at;
    this.#chunks = [];
    this.#at += this.#gatheredBytes;
    this.#gatheredBytes = 0;
    this.#writing = writeAll(handle, chunks, { at, path });
    // Awaited before the next one, or at the end; until then nobody listens.
    this.#writing.catch(() => {});
    if (at - this.#syncedTo >= SYNC_EVERY_BYTES) await this.#syncSoFar(at);
  }

  async #syncSoFar(at: number): Promise<void> {
    const { watch, handle, path } = this.#target;
    await watch.onStorage(() => this.#syncing);
    this.#syncedTo = at;
    this.#syncing = handle.datasync().catch((thrown: unknown) => Promise.reject(classifyFileError(thrown, path)));
    this.#syncing.catch(() => {});
  }
}

/** Writes all chunks at their place, also where the system takes them in pieces. */
async function writeAll(handle: FileHandle, chunks: Buffer[], place: { at: number; path: string }): Promise<void> {
  let { at } = place;
  try {
    for (let left = chunks; left.length > 0; ) {
      const { bytesWritten } = await handle.writev(left, at);
      at += bytesWritten;
      left = withoutFirst(left, bytesWritten);
    }
  } catch (thrown) {
    // Here, lest the storage's trouble be taken for the network's.
    throw classifyFileError(thrown, place.path);
  }
}

function withoutFirst(chunks: Buffer[], bytes: number): Buffer[] {
  let skipped = bytes;
  let at = 0;
  for (let chunk = chunks[at]; chunk && skipped >= chunk.length; chunk = chunks[at]) {
    skipped -= chunk.length;
    at += 1;
  }
  const [first, ...rest] = chunks.slice(at);
  return first ? [first.subarray(skipped), ...rest] : [];
}
