import type { StorageAccess } from '../../storage/storage-access.ts';
import type { UploadTarget } from '../api.ts';

/** The record of iconik that an upload belongs to: what its multipart URLs, and fresh upload URLs, are asked by. */
export interface UploadRecord {
  assetId: string;
  /** Id of the file record, proxy or keyframe. */
  fileId: string;
  /** Default `file`. iconik has no multipart URLs for keyframes, and large files on B2 for file records only. */
  kind?: 'file' | 'proxy' | 'keyframe';
}

/** A record that has multipart URLs on S3. */
export type MultipartRecord = UploadRecord & { kind?: 'file' | 'proxy' };

/** One file to be sent to where a record of iconik says. */
export interface UploadObjectArgs {
  /** Storage that holds the file; its own process reads and sends the bytes. */
  source: StorageAccess;
  /** Path of the file, relative to the mount point. */
  path: string;
  sizeBytes: number;
  /** When the file was last changed; absent = as it is found at the start. A file that changes underway is refused. */
  mtimeNs?: string;
  /** MD5 of the whole file in hex, when the caller knows it; stores that want it cost one read less. */
  md5?: string;
  contentType: string;
  /** `storage_id` tells whether the storage wants an MD5 with each request (`presign_md5_checksum`). */
  target: UploadTarget & { storage_id?: string | null };
  /** The record, when it may be asked for more URLs; absent = one request for the whole file on S3. */
  multipart?: UploadRecord;
  /** What an earlier attempt saved; anything unreadable counts as none. */
  checkpoint?: unknown;
  /** Holds session URLs, which are bearer secrets: store it in the cluster's database only, never log it. */
  saveCheckpoint(value: unknown): Promise<void>;
  /** Called right before the request that makes the object appear. */
  confirmLease(): Promise<void>;
  signal: AbortSignal;
  onProgress?(doneBytes: number): void;
}

/** An upload that will not be gone on with. */
export interface AbandonedUpload {
  assetId: string;
  /** What the last attempt saved. */
  checkpoint: unknown;
  signal: AbortSignal;
}

/** Sending files to object stores. */
export interface UploadObject {
  /**
   * Sends a file to the object store that `target` names (reference C.9) and resolves when the store has confirmed the
   * whole object. Throws `upload-refused` (permanent: the store or the kind of store says no; transient: a URL ran out or
   * the store is away, so get the record anew and call again with the checkpoint), `file-changed`, `lease-lost`, what the
   * source throws, and the reason of `signal` when it aborts.
   */
  (args: UploadObjectArgs): Promise<void>;
  /**
   * Drops at the store what an unfinished upload has sent, so that it costs nobody storage. May be called twice, and for
   * uploads that are gone. Never throws: what cannot be dropped now, the store's own rules remove.
   */
  abandon(upload: AbandonedUpload): Promise<void>;
}
