import type { StorageAccess } from '../../storage/storage-access.ts';
import type { UploadTarget } from '../api.ts';

/** One file to be sent to where a record of iconik says. */
export interface UploadObjectArgs {
  /** Storage that holds the file; its own process reads and sends the bytes. */
  source: StorageAccess;
  /** Path of the file, relative to the mount point. */
  path: string;
  sizeBytes: number;
  /** When the file was last changed; absent = as it is found at the start. A file that changes underway is refused. */
  mtimeNs?: string;
  contentType: string;
  target: UploadTarget;
  /** Names the file record whose multipart URLs may be asked for; absent = one request for the whole file on S3. */
  multipart?: { assetId: string; fileId: string };
  /** What an earlier attempt saved; anything unreadable counts as none. */
  checkpoint?: unknown;
  /** Holds session URLs, which are bearer secrets: store it in the cluster's database only, never log it. */
  saveCheckpoint(value: unknown): Promise<void>;
  /** Called right before the request that makes the object appear. */
  confirmLease(): Promise<void>;
  signal: AbortSignal;
  onProgress?(doneBytes: number): void;
}

/**
 * Sends a file to the object store that `target` names (reference C.9) and resolves when the store has confirmed the
 * whole object. Throws `upload-refused` (permanent: the store or the kind of store says no; transient: a URL ran out or
 * the store is away, so get the record anew and call again with the checkpoint), `file-changed`, `lease-lost`, what the
 * source throws, and the reason of `signal` when it aborts.
 */
export type UploadObject = (args: UploadObjectArgs) => Promise<void>;
