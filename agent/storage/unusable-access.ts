import type { IsgError } from '../runtime/errors.ts';
import type { StorageAccess } from './storage-access.ts';

/**
 * Stands for a storage whose mount point cannot be used at all. It is served like any other, so that its health check
 * names the fault; every call but `probe` throws `error`.
 */
export function createUnusableAccess(storageId: string, mountPoint: string, error: IsgError): StorageAccess {
  const refuse = () => Promise.reject(error);
  return {
    storageId,
    mountPoint,
    absolutePath: () => {
      throw error;
    },
    probe: async () => ({ kind: 'unreachable', reason: 'not-a-directory', detail: error.message }),
    placeMarker: refuse,
    walk: refuse,
    watch: refuse,
    follow: refuse,
    stat: refuse,
    digest: refuse,
    digestMany: refuse,
    digestRange: refuse,
    readText: refuse,
    readPart: refuse,
    sendRange: refuse,
    receiveFile: refuse,
    writeText: refuse,
    commitFile: refuse,
    removeFile: refuse,
    removeDirectory: refuse,
    stop: async () => {},
  };
}
