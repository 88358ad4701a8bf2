import type { ErrorRecord } from '../runtime/errors.ts';

/** What a file looked like when stat'ed. Of a directory in a listing, size and time are 0. */
export interface FileFacts {
  kind: 'file' | 'directory' | 'symlink' | 'other';
  sizeBytes: number;
  /** Nanoseconds since the epoch as decimal text (exceeds what a double holds). */
  mtimeNs: string;
  /** File id (inode) as decimal text; with the device it tells a moved file from a new one. */
  fileId: string;
}

/** One entry of a listed directory. `name` keeps the original bytes as far as text can. */
export interface DirectoryEntry extends FileFacts {
  name: string;
}

/** A directory in which nothing changed. `others`: names of what is neither file nor directory. */
export interface UnchangedDirectory {
  path: string;
  others: string[];
}

/** What a walk listed: one directory, or several that are unchanged. Paths are relative to the mount point, `/`-separated, '' = the root. */
export type DirectoryListing =
  | {
      kind: 'listed';
      path: string;
      entries: DirectoryEntry[];
      /** Of path and entries; null when an entry could not be looked at. */
      fingerprint: string | null;
    }
  /** Listed too, and every entry looked at: all is as the fingerprint says that the index holds. */
  | { kind: 'unchanged'; directories: UnchangedDirectory[] }
  /** Not listed: nothing in or below it may be taken for absent. */
  | { kind: 'unreadable'; path: string; reason: string };

/** What a walk looks at. */
export interface WalkOptions {
  /** Roots relative to the mount point; empty = the whole storage. */
  directories: readonly string[];
  /** Names and patterns to skip (`*.tmp`, `re:/…/`), besides the built-in ones for NAS litter. */
  ignore: readonly string[];
  /** When not empty, only files that match. Include beats ignore (reference A.5). */
  include: readonly string[];
  /** Directories read at once. */
  concurrency: number;
  /** List the named directories alone, each of them, and none below. Default false. */
  shallow?: boolean;
  /** Hears now and then how many files were seen so far. */
  onProgress?: (files: number) => void;
  /**
   * Fingerprints of directories as the index holds them, in their order, null = list it: with it, what looks the same is
   * only said to be unchanged. It is asked for a few hundred directories at a time.
   */
  known?: (directories: string[]) => Promise<(string | null)[]>;
}

/** Sums of one walk. */
export interface WalkSummary {
  files: number;
  directories: number;
  skipped: number;
  unreadable: number;
}

/** What a watch looks at. */
export interface WatchOptions {
  /** Each of these alone, none below; relative to the mount point. */
  directories: readonly string[];
  /** What a walk would leave out gives no hint. */
  ignore: readonly string[];
  include: readonly string[];
}

/** Why nothing is watched: changes that other machines make on a network file system are not told to this one. */
export interface WatchEnd {
  kind: 'not-local';
  /** Its name, for people. */
  fileSystem: string;
}

/** Verdict on a storage root. */
export type ProbeResult =
  | {
      kind: 'reachable';
      /** Whether the identity marker `.isg-pro-storage` names this storage, is absent, or names another one. */
      marker: 'right' | 'absent' | 'wrong';
      /** No entries but our marker. */
      empty: boolean;
      /** Whether writing is allowed; a full storage counts as writable. null = not asked for. */
      writable: boolean | null;
    }
  | {
      kind: 'unreachable';
      reason: 'absent' | 'not-a-directory' | 'unreadable' | 'hung';
      detail: string;
      /** False when the process that asks was not there, which says nothing about the storage. */
      wasAsked?: false;
    };

/** Both digests of one read, and what the file looked like; `changed` when stat before and after differ. */
export interface DigestResult {
  /** XXH3-128, 32 hex digits. */
  xxh128: string;
  /** MD5, 32 hex digits: iconik's file identity. */
  md5: string;
  facts: FileFacts;
  changed: boolean;
}

/** A piece of a file. */
export interface FilePart {
  path: string;
  offsetBytes: number;
  /** At most 8 MiB. */
  lengthBytes: number;
  /** The piece is refused (`file-changed`) unless the file still looks like this before and after. */
  expected: { sizeBytes: number; mtimeNs: string };
}

/** One of many files: its digests, or why there are none. `md5` is null when it was not asked for. */
export type DigestedFile =
  | (Omit<DigestResult, 'md5'> & { kind: 'digested'; md5: string | null })
  | { kind: 'trouble'; error: ErrorRecord };

/** How a file is read for its digests. */
export interface DigestOptions extends CallOptions {
  /** Bytes that this call may read in a second; default any number. */
  maxBytesPerSecond?: number | null;
}

/** A range of a file to be digested, as an object store wants it of a part. */
export interface DigestRange {
  path: string;
  offsetBytes: number;
  lengthBytes: number;
  algorithm: 'md5' | 'sha1';
  /** The digest is refused (`file-changed`) unless the file looks like this before and after. */
  expected: { sizeBytes: number; mtimeNs: string };
}

/** Bytes of a file sent in one HTTP request. */
export interface SendRange {
  path: string;
  offsetBytes: number;
  lengthBytes: number;
  url: string;
  method: 'PUT' | 'POST';
  headers: Record<string, string>;
  /** The send is refused (`file-changed`) unless the file still looks like this before and after. */
  expected: { sizeBytes: number; mtimeNs: string };
}

/** Answer of an object store. */
export interface HttpAnswer {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** At most 64 KiB. */
  body: string;
}

/** A download into a file of the storage, resumed when the file already holds a part. */
export interface ReceiveFile {
  url: string;
  /** Relative path of the partial file; its directory is made. */
  path: string;
  /** Expected length; refused before the start when the disk has not that much room. */
  sizeBytes: number;
  /** Room that is not to be counted on: what earlier downloads to this storage still have to write. Filled in by the access. */
  promisedBytes?: number;
}

/** Calls that report how far they are and can be stopped. */
export interface CallOptions {
  signal?: AbortSignal;
  onProgress?: (doneBytes: number) => void;
}

/**
 * A storage as this node reaches it. Everything that touches the mount runs in processes of this storage's own, so that
 * a hung mount delays neither the agent nor another storage. Paths are relative to the mount point; one that leads out
 * of it throws `outside-storage`. Errors: `storage-unavailable`, `storage-hung` (transient), `file-not-found`,
 * `file-unreadable`, `file-changed`, `disk-full`.
 */
export interface StorageAccess {
  readonly storageId: string;
  readonly mountPoint: string;
  /** Absolute path for programs that read the file themselves (ffmpeg). Pure; touches nothing. */
  absolutePath(path: string): string;
  /** Never throws and never takes longer than `timeoutMs`. */
  probe(options: { testWrite: boolean; timeoutMs: number }): Promise<ProbeResult>;
  /** Writes the identity marker; resolves also when the right one is there. */
  placeMarker(): Promise<void>;
  /** Lists directories depth by depth; waits for `onDirectory` (back-pressure). Symlinks are reported, never followed. */
  walk(
    options: WalkOptions,
    onDirectory: (listing: DirectoryListing) => Promise<void>,
    signal: AbortSignal,
  ): Promise<WalkSummary>;
  /**
   * Watches directories until the signal fires (then it rejects with its reason). A hint says that something may have changed
   * in these directories, no more; without directories it says that all are being watched now. Hints get lost: when the
   * system watches no more directories, or a process dies. At most one watch at a time.
   */
  watch(options: WatchOptions, onHint: (directories: string[]) => void, signal: AbortSignal): Promise<WatchEnd>;
  /** Makes the running watch look at these directories instead; of those that are new it gives a hint. */
  follow(directories: readonly string[]): Promise<void>;
  /**
   * null when there is no such file; throws when that cannot be known. `spelledExactly`: null also when the storage ignores
   * case and now calls the file, or a directory in its path, by other letters.
   */
  stat(path: string, options?: { spelledExactly?: boolean }): Promise<FileFacts | null>;
  /** Reads a file once for both digests. */
  digest(path: string, options: DigestOptions): Promise<DigestResult>;
  /**
   * Digests many files in one call, in the order of the paths, two at a time: what small files need, where a call for each
   * costs more than the file, and what the fast digest alone needs. Progress is the sum of bytes.
   */
  digestMany(paths: readonly string[], options: DigestOptions & { withMd5: boolean }): Promise<DigestedFile[]>;
  /** Digest of a range of a file, in hex. */
  digestRange(range: DigestRange, options: CallOptions): Promise<string>;
  /** A small file as UTF-8 text; null when it is longer than `maxBytes` or changed while it was read. */
  readText(path: string, maxBytes: number): Promise<string | null>;
  /** A piece of a file, in memory. Served beside the transfers: it neither waits for them nor takes a place from them. */
  readPart(part: FilePart, options: Pick<CallOptions, 'signal'>): Promise<Uint8Array>;
  /** Sends a range of a file; resolves with whatever the server answered. */
  sendRange(send: SendRange, options: CallOptions): Promise<HttpAnswer>;
  /** Downloads into a partial file and digests it; throws `download-refused` for an answer other than 200/206. */
  receiveFile(receive: ReceiveFile, options: CallOptions): Promise<DigestResult>;
  /**
   * Writes text into a partial file from an offset on, dropping what was there from then on; answers the length. Durable with
   * the commit.
   */
  writeText(path: string, text: string, offsetBytes: number): Promise<number>;
  /** Moves a finished partial file into place, durably; `file-exists` as `content-differs` error when `to` exists already. */
  commitFile(from: string, to: string): Promise<FileFacts>;
  /** Removes a file only if it still is what was recorded. */
  removeFile(path: string, expected: { sizeBytes: number; mtimeNs: string }): Promise<'removed' | 'absent' | 'differs'>;
  /** Removes a directory only if nothing at all is in it; `differs` for what is no directory. The root is refused. */
  removeDirectory(path: string): Promise<'removed' | 'absent' | 'not-empty' | 'differs'>;
  /** Ends the processes; calls in progress reject with `stopped`. */
  stop(): Promise<void>;
}
