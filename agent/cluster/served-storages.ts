import type { Storage } from '../iconik/api.ts';
import type { StorageAccess } from '../storage/storage-access.ts';
import { type Entities, mountPointOf } from './entities.ts';

/** A storage as this node serves it: iconik's entity and the way to its files. */
export interface ServedStorage {
  storage: Storage;
  access: StorageAccess;
}

/**
 * The storages this node mounts. Follows the entities: a new storage or mount point gets an access of its own, one that
 * is gone loses it. Accesses are kept while the mount point stays the same, whatever else changes.
 */
export class ServedStorages {
  readonly #create: (storageId: string, mountPoint: string) => StorageAccess;
  readonly #served = new Map<string, ServedStorage>();

  constructor(create: (storageId: string, mountPoint: string) => StorageAccess) {
    this.#create = create;
  }

  /** Brings the accesses in line with the entities. */
  async follow(entities: Entities): Promise<void> {
    const leaving: StorageAccess[] = [];
    for (const [id, { access }] of this.#served) {
      const storage = entities.storages.get(id);
      if (storage && mountPointOf(entities, storage) === access.mountPoint) continue;
      this.#served.delete(id);
      leaving.push(access);
    }
    for (const storage of entities.storages.values()) {
      const mountPoint = mountPointOf(entities, storage);
      if (mountPoint === null) continue;
      const access = this.#served.get(storage.id)?.access ?? this.#create(storage.id, mountPoint);
      this.#served.set(storage.id, { storage, access });
    }
    await Promise.all(leaving.map((access) => access.stop()));
  }

  list(): ServedStorage[] {
    return [...this.#served.values()];
  }

  get(storageId: string): ServedStorage | null {
    return this.#served.get(storageId) ?? null;
  }

  async stop(): Promise<void> {
    const accesses = this.list().map(({ access }) => access);
    this.#served.clear();
    await Promise.all(accesses.map((access) => access.stop()));
  }
}
