import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A stored object: where its bytes lie and what they are. */
export interface StoredObject {
  key: string;
  sizeBytes: number;
  /** MD5 in hex. */
  md5: string;
  contentType: string;
  /** File on disk with exactly these bytes. */
  path: string;
  /** How often this key has been written. */
  writes: number;
}

/** Bytes that have arrived but are no object yet (a part, a chunk). */
export interface StoredBytes {
  path: string;
  sizeBytes: number;
  md5: string;
  /** Another digest, when one was asked for; hex. */
  extra?: string;
}

/** Objects as files in a folder. An object appears whole or not at all. */
export class ObjectDisk {
  readonly #folder: string;
  readonly #objects = new Map<string, StoredObject>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Streams bytes into a file of their own; nothing is left behind when the sender breaks off. */
  async receive(body: Readable, extra?: 'sha1'): Promise<StoredBytes> {
    const path = join(this.#folder, `part-${randomUUID()}`);
    const hash = createHash('md5');
    const second = extra && createHash(extra);
    let sizeBytes = 0;
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        second?.update(chunk);
        sizeBytes += chunk.length;
        done(null, chunk);
      },
    });
    try {
      await pipeline(body, counter, createWriteStream(path));
    } catch (thrown) {
      await rm(path, { force: true });
      throw thrown;
    }
    return { path, sizeBytes, md5: hash.digest('hex'), ...(second ? { extra: second.digest('hex') } : {}) };
  }

  /** Makes received bytes the object of this key, in place of any earlier one. */
  async commit(key: string, bytes: StoredBytes, contentType: string): Promise<StoredObject> {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32) + extname(key).replace(/[^.\w]/g, '');
    const path = join(this.#folder, name);
    await rename(bytes.path, path);
    const writes = (this.#objects.get(key)?.writes ?? 0) + 1;
    const object = { key, sizeBytes: bytes.sizeBytes, md5: bytes.md5, contentType, path, writes };
    this.#objects.set(key, object);
    return object;
  }

  /** Joins received pieces in order and commits them. The pieces are removed. */
  async concatenate(key: string, pieces: readonly StoredBytes[], contentType: string): Promise<StoredObject> {
    async function* all() {
      for (const piece of pieces) yield* createReadStream(piece.path);
    }
    const whole = await this.receive(Readable.from(all()));
    await Promise.all(pieces.map((piece) => this.discard(piece)));
    return this.commit(key, whole, contentType);
  }

  /** Removes an object, if there is one. */
  async remove(key: string): Promise<void> {
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    if (object) await rm(object.path, { force: true });
  }

  /** Forgets received bytes. */
  async discard(bytes: StoredBytes): Promise<void> {
    await rm(bytes.path, { force: true });
  }

  find(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  all(): StoredObject[] {
    return [...this.#objects.values()];
  }
}
