/** The work of a digest thread: blocking reads and digests, so that the process's main thread never waits for either. */
import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import xxhash from 'xxhash-addon';
import { leadsOut, notAFile } from './contained-path.ts';
import { DigestControl } from './digest-control.ts';
import { DigestRing, PIECE_BYTES } from './digest-ring.ts';
import { type DigestTask, FILE_STATES, type FileTrouble, type TaskResults, troubleOf } from './digest-task.ts';
import type { DiskPath } from './disk-path.ts';
import { isOpenedInsideSync } from './held-directory.ts';
import {
  classifyFileError,
  isCountable,
  isSameContent,
  mtimeNsOf,
  systemCode,
  uncountable,
} from './local-filesystem.ts';
import { nextReadMs, pieceBytesAt } from './read-pace-plan.ts';

/** How long a thread waits for the other one before it looks whether it is to stop. */
const LOOK_EVERY_MS = 100;
/** One of these for a thread's life: it is only ever reset. XXH3 with seed 0; without a buffer the constructor aborts the process. */
const fast = new xxhash.XXHash128(Buffer.alloc(8));
const ownBuffer = Buffer.allocUnsafeSlow(PIECE_BYTES);

const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Without it, what a name stands for is looked at before it is opened. */
const OPENS_NO_LINK = constants.O_NOFOLLOW !== undefined;
const DIGESTED = FILE_STATES.indexOf('digested');
const CHANGED = FILE_STATES.indexOf('changed');
const TROUBLE = FILE_STATES.indexOf('trouble');
const BIGINT = { bigint: true } as const;
/** Both digests of a file. */
const ROW_BYTES = 32;

/** Where pieces go: `room` is what the next one is read into, `take` hears that it is there. */
interface Sink {
  room(): Buffer;
  take(piece: Buffer): void;
}

/** Reads in step with the rate that is allowed; of one task. */
class PacedReader {
  readonly #control: DigestControl;
  readonly #bytesPerSecond: number | null;
  readonly #pieceBytes: number;
  #dueMs = 0;

  constructor(task: { control: SharedArrayBuffer; bytesPerSecond: number | null }) {
    this.#control = new DigestControl(task.control);
    this.#bytesPerSecond = task.bytesPerSecond;
    this.#pieceBytes = pieceBytesAt(task.bytesPerSecond);
  }

  /** Reads at most `lengthBytes`, from the start; answers how many there were. */
  readInto(sink: Sink, fd: number, lengthBytes: number): number {
    let readBytes = 0;
    while (readBytes < lengthBytes) {
      const room = sink.room();
      const got = this.#read(room, fd, {
        offset: 0,
        lengthBytes: Math.min(room.length, lengthBytes - readBytes),
        at: readBytes,
      });
      if (got === 0) break;
      sink.take(got === room.length ? room : room.subarray(0, got));
      readBytes += got;
    }
    return readBytes;
  }

  /** Fills a buffer with the first `lengthBytes` of a file; answers how many there were. */
  readPiece(room: Buffer, fd: number, lengthBytes: number): number {
    let readBytes = 0;
    while (readBytes < lengthBytes) {
      const got = this.#read(room, fd, { offset: readBytes, lengthBytes: lengthBytes - readBytes, at: readBytes });
      if (got === 0) break;
      readBytes += got;
    }
    return readBytes;
  }

  #read(room: Buffer, fd: number, piece: { offset: number; lengthBytes: number; at: number }): number {
    this.#control.assertGoing();
    const startedMs = this.#await();
    const got = readSync(fd, room, piece.offset, Math.min(piece.lengthBytes, this.#pieceBytes), piece.at);
    this.#control.addDone(got);
    if (this.#bytesPerSecond !== null) {
      this.#dueMs = nextReadMs({ dueMs: this.#dueMs, startedMs }, got, this.#bytesPerSecond);
    }
    return got;
  }

  /** Waits for the time to read; answers the time. */
  #await(): number {
    if (this.#bytesPerSecond === null) return 0;
    this.#control.pause(this.#dueMs - performance.now());
    this.#control.assertGoing();
    return performance.now();
  }
}

function ringSink(ring: DigestRing, control: DigestControl): Sink {
  return {
    room() {
      for (;;) {
        const slot = ring.free();
        if (slot) return slot;
        control.assertGoing();
        ring.awaitFree(LOOK_EVERY_MS);
      }
    },
    take(piece) {
      // First the slow one gets its work.
      ring.publish(piece.length);
      fast.update(piece);
    },
  };
}

function readOpenFile(task: Extract<DigestTask, { kind: 'read' }>): TaskResults['read'] {
  const reader = new PacedReader(task);
  const { fd, lengthBytes } = task;
  fast.reset();
  if (task.ring === null) {
    const md5 = createHash('md5');
    const readBytes = reader.readInto(ownSink([fast, md5]), fd, lengthBytes);
    return { readBytes, xxh128: fast.digest().toString('hex'), md5: md5.digest('hex') };
  }
  const ring = new DigestRing(task.ring);
  let isWhole = false;
  try {
    const readBytes = reader.readInto(ringSink(ring, new DigestControl(task.control)), fd, lengthBytes);
    isWhole = true;
    return { readBytes, xxh128: fast.digest().toString('hex'), md5: null };
  } finally {
    ring.end(isWhole ? 'whole' : 'broken');
  }
}

function ownSink(digests: readonly { update(bytes: Buffer): unknown }[]): Sink {
  return {
    room: () => ownBuffer,
    take: (piece) => {
      for (const digest of digests) digest.update(piece);
    },
  };
}

const FAST_SINK = ownSink([fast]);

function md5OfRing(task: Extract<DigestTask, { kind: 'md5' }>): TaskResults['md5'] {
  const ring = new DigestRing(task.ring);
  const control = new DigestControl(task.control);
  const md5 = createHash('md5');
  for (;;) {
    const piece = ring.filled();
    if (piece) {
      md5.update(piece);
      ring.release();
    } else if (ring.ended() === 'whole') {
      return { md5: md5.digest('hex') };
    } else {
      // The reader failed, and says why itself.
      if (ring.ended() === 'broken') return { md5: '' };
      control.assertGoing();
      ring.awaitFilled(LOOK_EVERY_MS);
    }
  }
}

function readFiles(task: Extract<DigestTask, { kind: 'files' }>): TaskResults['files'] {
  const control = new DigestControl(task.control);
  const reader = new PacedReader(task);
  const troubles: FileTrouble[] = [];
  const { count, root, elsewhere } = task.files;
  const paths = task.files.paths.split('\0');
  for (;;) {
    const index = control.takeNext();
    if (index >= count) return { troubles };
    const path = paths[index] ?? '';
    const other = elsewhere.get(index);
    if (other === null) continue;
    control.assertGoing();
    try {
      task.columns.states[index] = readOne(task, { path, at: other ?? `${root}/${path}`, index, reader });
    } catch (thrown) {
      const trouble = troubleOf(classifyFileError(thrown, path));
      if (trouble.code === 'cancelled') throw thrown;
      task.columns.states[index] = TROUBLE;
      troubles.push({ index, ...trouble });
    }
  }
}

/** Digests one file of a list into its row; answers its state. */
function readOne(
  task: FilesTask,
  { path, at, index, reader }: { path: string; at: DiskPath; index: number; reader: PacedReader },
): number {
  const fd = openFile(at, path);
  try {
    const before = fstatSync(fd, BIGINT);
    if (!before.isFile()) throw notAFile(path);
    if (!isOpenedInsideSync(fd, at, task.files.realMount)) throw leadsOut(path);
    if (!isCountable(before)) throw uncountable(path);
    const { columns } = task;
    const sizeBytes = Number(before.size);
    const digest = sizeBytes <= PIECE_BYTES ? digestPiece : digestPieces;
    const readBytes = digest(task, { fd, sizeBytes, index, reader });
    columns.sizes[index] = sizeBytes;
    columns.mtimesNs[index] = mtimeNsOf(before);
    columns.fileIds[index] = before.ino;
    // Only while a longer one was read could another file have come under its name that this call should have seen.
    const isSame = isSameContent(fstatSync(fd, BIGINT), before) && (readBytes <= PIECE_BYTES || isStill(at, before));
    return readBytes === sizeBytes && isSame ? DIGESTED : CHANGED;
  } finally {
    closeSync(fd);
  }
}

type FilesTask = Extract<DigestTask, { kind: 'files' }>;
interface OpenedFile {
  fd: number;
  sizeBytes: number;
  index: number;
  reader: PacedReader;
}

/** Of a short file: it is one piece, and each digest of it one call. */
function digestPiece({ columns, withMd5 }: FilesTask, { fd, sizeBytes, index, reader }: OpenedFile): number {
  const readBytes = reader.readPiece(ownBuffer, fd, sizeBytes);
  const piece = ownBuffer.subarray(0, readBytes);
  columns.digests.set(xxhash.XXHash128.hash(piece), index * ROW_BYTES);
  if (withMd5) columns.digests.set(hash('md5', piece, 'buffer'), index * ROW_BYTES + ROW_BYTES / 2);
  return readBytes;
}

function digestPieces({ columns, withMd5 }: FilesTask, { fd, sizeBytes, index, reader }: OpenedFile): number {
  const md5 = withMd5 ? createHash('md5') : null;
  fast.reset();
  const readBytes = reader.readInto(md5 ? ownSink([fast, md5]) : FAST_SINK, fd, sizeBytes);
  columns.digests.set(fast.digest(), index * ROW_BYTES);
  if (md5) columns.digests.set(md5.digest(), index * ROW_BYTES + ROW_BYTES / 2);
  return readBytes;
}

/** Opens what may be a regular file; neither follows a link nor waits for the other end of a pipe. */
function openFile(at: DiskPath, path: string): number {
  if (!OPENS_NO_LINK && !lstatSync(at).isFile()) throw notAFile(path);
  try {
    return openSync(at, OPEN_FLAGS);
  } catch (thrown) {
    // A link, a socket.
    if (['ELOOP', 'ENXIO'].includes(systemCode(thrown)) && !lstatSync(at).isFile()) throw notAFile(path);
    throw thrown;
  }
}

/** Whether what stands under the name is a file of this size and time. */
function isStill(file: DiskPath, before: Parameters<typeof isSameContent>[1]): boolean {
  try {
    const after = lstatSync(file, BIGINT);
    return after.isFile() && isSameContent(after, before);
  } catch (thrown) {
    if (systemCode(thrown) === 'ENOENT') return false;
    throw thrown;
  }
}

/** Carries out a task. Blocks the thread until it is done; throws what stands in the way, `cancelled` after a stop. */
export function carryOut(task: DigestTask): TaskResults[keyof TaskResults] {
  switch (task.kind) {
    case 'read':
      return readOpenFile(task);
    case 'md5':
      return md5OfRing(task);
    case 'files':
      return readFiles(task);
    default:
      return task satisfies never;
  }
}
