import { filesOfFileSets, type OrderedFile } from '../../../db/queries/ordered-file.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import { entityTag } from './direct-request-plan.ts';

/** What finding a file needs. */
export interface OfferDeps {
  iconik: Pick<IconikApi, 'transfers'>;
  sql: Sql;
  clock: Clock;
  /** The storage as this node reaches it; null when it does not. */
  storageOf(storageId: string): StorageAccess | null;
}

/** A file that a transfer names, as it is on the disk. */
export interface OfferedFile {
  storage: StorageAccess;
  path: string;
  sizeBytes: number;
  mtimeNs: string;
  tag: string;
}

/** Orders are remembered this long: a file of many ranges is not looked up for each. */
const ORDER_FOR_MS = 10_000;
const MAX_ORDERS = 200;

interface Order {
  atMs: number;
  storageId: string;
  fileSetId: string;
}

/**
 * Finds what a transfer names: iconik's record says which file set of which storage, this cluster's index which files those
 * are. What is not in both is not offered, so no request ever names a path.
 */
export class OfferedFiles {
  readonly #deps: OfferDeps;
  readonly #orders = new Map<string, Order>();

  constructor(deps: OfferDeps) {
    this.#deps = deps;
  }

  /**
   * The file; null when the transfer does not name it or this node does not serve it. Throws `file-changed` when the disk
   * has another file there than the one that iconik knows, and what storage, database or iconik throw.
   */
  async find(
    wanted: { transferId: string; storageId: string; fileId: string },
    signal: AbortSignal,
  ): Promise<OfferedFile | null> {
    const order = await this.#orderOf(wanted, signal);
    if (!order) return null;
    const storage = this.#deps.storageOf(order.storageId);
    if (!storage) return null;
    const indexed = await filesOfFileSets(this.#deps.sql, order.storageId, [order.fileSetId]);
    const file = indexed.find((one) => one.iconikFileId === wanted.fileId);
    if (!file || !isKnownContent(file)) return null;
    const facts = await storage.stat(file.path);
    if (facts?.kind !== 'file') return null;
    if (facts.sizeBytes !== file.sizeBytes || facts.mtimeNs !== file.mtimeNs) {
      const message = `${file.path} is not the file that iconik knows any more; it is not handed out. The scan finds its new state.`;
      throw new IsgError('file-changed', message, { retry: 'permanent', fields: { path: file.path } });
    }
    const { path, sizeBytes, mtimeNs } = file;
    return { storage, path, sizeBytes, mtimeNs, tag: entityTag(file) };
  }

  async #orderOf(wanted: { transferId: string; storageId: string }, signal: AbortSignal): Promise<Order | null> {
    const key = `${wanted.transferId}/${wanted.storageId}`;
    const atMs = this.#deps.clock.monotonicMs();
    const known = this.#orders.get(key);
    if (known && atMs - known.atMs < ORDER_FOR_MS) return known;
    this.#orders.delete(key);
    const record = await this.#deps.iconik.transfers.transferTo(wanted.storageId, wanted.transferId, { signal });
    if (!record?.original_storage_id || !record.file_set_id) return null;
    const order = { atMs, storageId: record.original_storage_id, fileSetId: record.file_set_id };
    this.#orders.set(key, order);
    for (const oldest of this.#orders.keys()) {
      if (this.#orders.size <= MAX_ORDERS) break;
      this.#orders.delete(oldest);
    }
    return order;
  }
}

/** Only what was digested and given to iconik: the receiver checks it against that digest. */
function isKnownContent(file: OrderedFile): boolean {
  return file.md5 !== null && (file.state === 'ingested' || file.state === 'ingesting');
}
