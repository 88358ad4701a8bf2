import { randomBytes } from 'node:crypto';
import { B2Error } from './b2-error.ts';
import type { ObjectDisk, StoredBytes, StoredObject } from './object-disk.ts';

/** Smallest part, but for the last. */
const MINIMUM_PART_BYTES = 5_000_000;

interface LargeFile {
  key: string;
  contentType: string;
  parts: Map<number, StoredBytes & { sha1: string }>;
}

/** Large files of B2 (reference C.9), with the checks of the real service. */
export class B2LargeFiles {
  readonly #disk: ObjectDisk;
  readonly #files = new Map<string, LargeFile>();
  /** Id of the B2 file that a key holds now. */
  readonly #finished = new Map<string, string>();
  /** Upload URLs that are just being used. */
  readonly #busy = new Set<string>();

  constructor(disk: ObjectDisk) {
    this.#disk = disk;
  }

  /** Ids of large files of a key that are neither finished nor cancelled. */
  open(key: string): string[] {
    return [...this.#files].filter(([, file]) => file.key === key).map(([id]) => id);
  }

  /** Id of the file that the key holds, as downloads show it. */
  fileId(key: string): string | undefined {
    return this.#finished.get(key);
  }

  start(key: string, contentType: string): string {
    const id = newId();
    this.#files.set(id, { key, contentType, parts: new Map() });
    return id;
  }

  /** Throws unless the large file waits for parts. */
  assertOpen(id: string): void {
    this.#find(id);
  }

  /** Keeps a part, in place of any earlier one with its number. */
  async keep(id: string, partNumber: number, bytes: StoredBytes & { sha1: string }): Promise<void> {
    const file = this.#find(id);
    const earlier = file.parts.get(partNumber);
    file.parts.set(partNumber, bytes);
    if (earlier) await this.#disk.discard(earlier);
  }

  /** Joins the parts; refuses gaps, other SHA-1s, small parts and single ones. */
  async finish(id: string, sha1s: readonly string[]): Promise<StoredObject> {
    const file = this.#find(id);
    const parts = [...file.parts].sort(([a], [b]) => a - b);
    if (parts.length < 2) throw new B2Error(400, 'bad_request', 'large files must have at least 2 parts');
    if (parts.length !== sha1s.length) throw new B2Error(400, 'bad_request', 'partSha1Array has another length');
    parts.forEach(([number, part], index) => {
      if (number !== index + 1) throw new B2Error(400, 'bad_request', `Part number ${index + 1} has not been uploaded`);
      if (part.sha1 !== sha1s[index]) throw new B2Error(400, 'bad_request', `sha1 of part ${number} is another`);
      if (index < parts.length - 1 && part.sizeBytes < MINIMUM_PART_BYTES) {
        throw new B2Error(400, 'bad_request', `Part number ${number} is smaller than ${MINIMUM_PART_BYTES} bytes`);
      }
    });
    this.#files.delete(id);
    const pieces = parts.map(([, part]) => part);
    const object = await this.#disk.concatenate(file.key, pieces, file.contentType);
    this.#finished.set(file.key, id);
    return object;
  }

  async cancel(id: string): Promise<void> {
    const file = this.#find(id);
    this.#files.delete(id);
    await Promise.all([...file.parts.values()].map((part) => this.#disk.discard(part)));
  }

  /** Commits a small file and returns its id. */
  async put(key: string, bytes: StoredBytes, contentType: string): Promise<string> {
    const id = newId();
    await this.#disk.commit(key, bytes, contentType);
    this.#finished.set(key, id);
    return id;
  }

  /** Runs work that uses an upload URL; two at once are refused. */
  async using<T>(uploadUrl: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy.has(uploadUrl)) throw new B2Error(400, 'bad_request', 'more than one upload using auth token');
    this.#busy.add(uploadUrl);
    try {
      return await work();
    } finally {
      this.#busy.delete(uploadUrl);
    }
  }

  #find(id: string): LargeFile {
    const file = this.#files.get(id);
    if (!file) throw new B2Error(400, 'bad_request', `No active upload for: ${id}`);
    return file;
  }
}

const newId = (): string => `4_z${randomBytes(20).toString('hex')}`;
