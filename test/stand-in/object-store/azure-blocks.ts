import { createReadStream } from 'node:fs';
import type { ObjectDisk, StoredBytes, StoredObject } from './object-disk.ts';
import { ObjectStoreError } from './object-store-error.ts';

/** Azure drops blocks that nobody has made part of a blob after this. */
const UNCOMMITTED_LIFE_MS = 7 * 24 * 3_600_000;

/** Longest block id, decoded. */
const MAX_ID_BYTES = 64;

interface Block {
  bytes: StoredBytes;
  atMs: number;
}

interface Blob {
  uncommitted: Map<string, Block>;
  /** In order. */
  committed: { id: string; sizeBytes: number }[];
  /** MD5 as the last commit named it, base64. */
  contentMd5: string | null;
}

/** Name of an element of a block list, and the id in it. */
export interface ListedBlock {
  from: 'Latest' | 'Committed' | 'Uncommitted';
  id: string;
}

/** Block blobs of Azure, with the checks of the real service. */
export class AzureBlocks {
  readonly #disk: ObjectDisk;
  readonly #nowMs: () => number;
  readonly #blobs = new Map<string, Blob>();

  constructor(disk: ObjectDisk, nowMs: () => number) {
    this.#disk = disk;
    this.#nowMs = nowMs;
  }

  /** Throws unless the id is one that the blob can take: base64, at most 64 bytes, as long as those that wait already. */
  async assertId(key: string, id: string): Promise<void> {
    const decoded = Buffer.from(id, 'base64');
    if (decoded.toString('base64') !== id || decoded.length === 0 || decoded.length > MAX_ID_BYTES) {
      throw new ObjectStoreError(400, 'InvalidQueryParameterValue', 'blockid must be base64 of at most 64 bytes');
    }
    const waiting = [...(await this.#find(key)).uncommitted.keys()];
    if (waiting.some((other) => Buffer.from(other, 'base64').length !== decoded.length)) {
      throw new ObjectStoreError(400, 'InvalidBlobOrBlock', 'all block ids of a blob must have one length');
    }
  }

  /** Keeps a block, in place of any earlier one with its id. */
  async keep(key: string, id: string, bytes: StoredBytes): Promise<void> {
    const blob = await this.#find(key);
    const earlier = blob.uncommitted.get(id);
    blob.uncommitted.set(id, { bytes, atMs: this.#nowMs() });
    if (earlier) await this.#disk.discard(earlier.bytes);
  }

  /** Makes the blob of a whole body; blocks that waited are dropped. */
  async put(key: string, bytes: StoredBytes, contentType: string): Promise<StoredObject> {
    await this.#dropUncommitted(key);
    this.#blobs.set(key, {
      uncommitted: new Map(),
      committed: [],
      contentMd5: Buffer.from(bytes.md5, 'hex').toString('base64'),
    });
    return this.#disk.commit(key, bytes, contentType);
  }

  /** Blocks of the blob and those that wait; null when there is neither blob nor block. */
  async list(key: string): Promise<{ committed: Blob['committed']; uncommitted: Blob['committed'] } | null> {
    const blob = await this.#find(key);
    if (blob.uncommitted.size === 0 && !this.#disk.find(key)) return null;
    // The service lists waiting blocks by id, not in the order of their arrival.
    const uncommitted = [...blob.uncommitted].map(([id, { bytes }]) => ({ id, sizeBytes: bytes.sizeBytes }));
    return { committed: blob.committed, uncommitted: uncommitted.sort((a, b) => (a.id < b.id ? -1 : 1)) };
  }

  /** Puts the blob together in the order of the list. All that waited is used or dropped. The MD5 is taken on trust, as Azure does. */
  async commit(
    key: string,
    list: readonly ListedBlock[],
    how: { contentType: string; contentMd5: string | null },
  ): Promise<StoredObject> {
    const blob = await this.#find(key);
    const committed: Blob['committed'] = [];
    const pieces: StoredBytes[] = [];
    for (const { from, id } of list) {
      const piece = await this.#piece(key, blob, { from, id });
      if (!piece) throw new ObjectStoreError(400, 'InvalidBlockList', `there is no such block: ${id}`);
      pieces.push(piece);
      committed.push({ id, sizeBytes: piece.sizeBytes });
    }
    const used = new Set(pieces.map((piece) => piece.path));
    const unused = [...blob.uncommitted.values()].filter((block) => !used.has(block.bytes.path));
    await Promise.all(unused.map((block) => this.#disk.discard(block.bytes)));
    const object = await this.#disk.concatenate(key, pieces, how.contentType);
    this.#blobs.set(key, { uncommitted: new Map(), committed, contentMd5: how.contentMd5 });
    return object;
  }

  /** MD5 that the blob's properties show, base64. */
  async contentMd5(key: string): Promise<string | null> {
    return (await this.#find(key)).contentMd5;
  }

  async #piece(key: string, blob: Blob, { from, id }: ListedBlock): Promise<StoredBytes | null> {
    const waiting = from === 'Committed' ? undefined : blob.uncommitted.get(id);
    if (waiting) return waiting.bytes;
    const object = this.#disk.find(key);
    const index = blob.committed.findIndex((block) => block.id === id);
    const block = blob.committed[index];
    if (from === 'Uncommitted' || !object || !block) return null;
    const start = blob.committed.slice(0, index).reduce((sum, one) => sum + one.sizeBytes, 0);
    return await this.#disk.receive(createReadStream(object.path, { start, end: start + block.sizeBytes - 1 }));
  }

  async #find(key: string): Promise<Blob> {
    const blob = this.#blobs.get(key) ?? { uncommitted: new Map(), committed: [], contentMd5: null };
    this.#blobs.set(key, blob);
    for (const [id, block] of blob.uncommitted) {
      if (this.#nowMs() - block.atMs <= UNCOMMITTED_LIFE_MS) continue;
      blob.uncommitted.delete(id);
      await this.#disk.discard(block.bytes);
    }
    return blob;
  }

  async #dropUncommitted(key: string): Promise<void> {
    const blob = await this.#find(key);
    await Promise.all([...blob.uncommitted.values()].map((block) => this.#disk.discard(block.bytes)));
  }
}
