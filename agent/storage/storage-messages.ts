/**
 * Every message between the agent and a storage process, both directions, and the operations they carry. Both sides derive
 * their types from here and parse what they get.
 */
import { z } from 'zod';
import type {
  DigestResult,
  FileFacts,
  HttpAnswer,
  ProbeResult,
  UnchangedDirectory,
  WalkSummary,
  WatchEnd,
} from './storage-access.ts';

const count = z.number().int().nonnegative();
const path = z.string();

const fileFacts = z.object({
  kind: z.enum(['file', 'directory', 'symlink', 'other']),
  sizeBytes: count,
  mtimeNs: z.string().regex(/^-?\d+$/),
  fileId: z.string().regex(/^\d+$/),
}) satisfies z.ZodType<FileFacts>;

const probeResult = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('reachable'),
    marker: z.enum(['right', 'absent', 'wrong']),
    empty: z.boolean(),
    writable: z.boolean().nullable(),
  }),
  z.object({
    kind: z.literal('unreachable'),
    reason: z.enum(['absent', 'not-a-directory', 'unreadable', 'hung']),
    detail: z.string(),
  }),
]) satisfies z.ZodType<ProbeResult>;

const digestResult = z.object({
  xxh128: z.string().regex(/^[0-9a-f]{32}$/),
  md5: z.string().regex(/^[0-9a-f]{32}$/),
  facts: fileFacts,
  changed: z.boolean(),
}) satisfies z.ZodType<DigestResult>;

const walkSummary = z.object({
  files: count,
  directories: count,
  skipped: count,
  unreadable: count,
}) satisfies z.ZodType<WalkSummary>;

const unchangedDirectory = z.object({
  path,
  others: z.array(z.string()),
}) satisfies z.ZodType<UnchangedDirectory>;

const httpAnswer = z.object({
  status: z.number().int(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
}) satisfies z.ZodType<HttpAnswer>;

const expectedFacts = z.object({ sizeBytes: count, mtimeNs: z.string() });

/** What crosses the channel in one message must stay small beside the memory of both processes. */
const MAX_PART_BYTES = 8 * 1024 * 1024;
/** Codes a storage process classifies errors as. */
export const processErrorCode = z.enum([
  'storage-unavailable',
  'file-not-found',
  'file-changed',
  'file-unreadable',
  'disk-full',
  'outside-storage',
  'upload-refused',
  'download-refused',
  'content-differs',
  'cancelled',
  'unexpected',
]);

/** Bytes that may be read in a second; null = any number. */
const pace = z.number().positive().nullable();

/** Files that one call digests at most: neither the list nor the answer keeps a main thread for more than some milliseconds. */
export const MAX_DIGEST_PATHS = 2_048;

/** Digests of many files, by columns as in a listing, in the order of the paths. */
const digestColumnsSchema = z.object({
  /** 1 = digested, 2 = changed while it was read, 3 = not read, `troubles` say why. */
  states: z.instanceof(Uint8Array),
  /** 32 bytes a file: XXH3-128, then MD5, zeros when it was not asked for. */
  digests: z.instanceof(Uint8Array),
  sizes: z.instanceof(Float64Array),
  mtimesNs: z.instanceof(BigInt64Array),
  fileIds: z.instanceof(BigUint64Array),
  troubles: z.array(
    z.object({
      index: count,
      code: processErrorCode,
      message: z.string(),
      retry: z.enum(['transient', 'permanent']),
    }),
  ),
});
/** Digests of many files, by columns. */
export type DigestColumns = z.infer<typeof digestColumnsSchema>;

/** What a storage process can be asked for: one line per operation, request and result. */
export const operations = {
  probe: { request: z.object({ testWrite: z.boolean() }), result: probeResult },
  'place-marker': { request: z.object({}), result: z.null() },
  walk: {
    request: z.object({
      directories: z.array(path),
      ignore: z.array(z.string()),
      include: z.array(z.string()),
      concurrency: z.number().int().min(1).max(256),
      /** Only the named directories, not those in them. */
      shallow: z.boolean(),
      /** Whether fingerprints are asked for. */
      known: z.boolean(),
    }),
    result: walkSummary,
  },
  /** Open-ended: answers only when watching is not possible. */
  watch: {
    request: z.object({ directories: z.array(path), ignore: z.array(z.string()), include: z.array(z.string()) }),
    result: z.object({ kind: z.literal('not-local'), fileSystem: z.string() }) satisfies z.ZodType<WatchEnd>,
  },
  follow: { request: z.object({ directories: z.array(path) }), result: z.null() },
  /** `spelledExactly`: null also when the path is there in letters of another case. */
  stat: { request: z.object({ path, spelledExactly: z.boolean() }), result: fileFacts.nullable() },
  digest: { request: z.object({ path, maxBytesPerSecond: pace }), result: digestResult },
  'digest-many': {
    request: z.object({ paths: z.array(path).max(MAX_DIGEST_PATHS), withMd5: z.boolean(), maxBytesPerSecond: pace }),
    result: digestColumnsSchema,
  },
  'digest-range': {
    request: z.object({
      path,
      offsetBytes: count,
      lengthBytes: count,
      algorithm: z.enum(['md5', 'sha1']),
      expected: expectedFacts,
    }),
    result: z.string().regex(/^[0-9a-f]{32,40}$/),
  },
  'read-text': { request: z.object({ path, maxBytes: count }), result: z.string().nullable() },
  'read-part': {
    request: z.object({
      path,
      offsetBytes: count,
      lengthBytes: count.max(MAX_PART_BYTES),
      expected: expectedFacts,
    }),
    result: z.instanceof(Uint8Array),
  },
  'send-range': {
    request: z.object({
      path,
      offsetBytes: count,
      lengthBytes: count,
      url: z.string(),
      method: z.enum(['PUT', 'POST']),
      headers: z.record(z.string(), z.string()),
      expected: expectedFacts,
    }),
    result: httpAnswer,
  },
  'receive-file': {
    request: z.object({ url: z.string(), path, sizeBytes: count, promisedBytes: count }),
    result: digestResult,
  },
  'write-text': { request: z.object({ path, text: z.string() }), result: digestResult },
  /** Answers the length of the file. */
  'append-text': { request: z.object({ path, text: z.string(), offsetBytes: count }), result: count },
  'commit-file': { request: z.object({ from: path, to: path }), result: fileFacts },
  'remove-file': {
    request: z.object({ path, expected: expectedFacts }),
    result: z.enum(['removed', 'absent', 'differs']),
  },
  'remove-directory': { request: z.object({ path }), result: z.enum(['removed', 'absent', 'not-empty', 'differs']) },
  /** Of watch folders (`watch-folder-access.ts`): absolute paths. `target` as bytes where it is no text. */
  'place-original': {
    request: z.object({
      folder: path,
      makeFolder: z.boolean(),
      name: z.string(),
      target: z.union([z.string(), z.instanceof(Uint8Array)]),
      useSymlink: z.boolean(),
    }),
    result: z.enum(['symlink', 'hard-link', 'copy', 'kept']),
  },
  'look-for-results': {
    request: z.object({ folders: z.array(path), prefix: z.string().min(1) }),
    result: z.array(z.object({ folder: path, name: z.string(), sizeBytes: count, mtimeMs: z.number().int() })),
  },
  'take-result': {
    request: z.object({ from: path, to: path, sizeBytes: count, mtimeMs: z.number().int() }),
    result: z.null(),
  },
  'clear-results': { request: z.object({ files: z.array(path), folders: z.array(path) }), result: z.null() },
} as const;

/** Name of an operation. */
export type Operation = keyof typeof operations;
/** What an operation is asked with. */
export type RequestOf<O extends Operation> = z.infer<(typeof operations)[O]['request']>;
/** What an operation answers. */
export type ResultOf<O extends Operation> = z.infer<(typeof operations)[O]['result']>;

const operation = z.enum(Object.keys(operations) as [Operation, ...Operation[]]);

/** What a process is told once, before anything else. */
export const processSettingsSchema = z.object({
  storageId: z.string(),
  mountPoint: z.string(),
  /** Proxy for object stores; may hold a password, so it never travels in arguments or environment. */
  httpsProxy: z.string().nullable(),
  /** Certificates (PEM) of an authority that is trusted beside the system's. */
  extraCa: z.string().nullable(),
  /** A connection to an object store without a byte for this long is given up. */
  httpStallMs: z.number().positive(),
});
/** What a process is told once, before anything else. */
export type ProcessSettings = z.infer<typeof processSettingsSchema>;

const callId = z.number().int();

/** Agent → storage process. */
export const toProcessSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('settings'), settings: processSettingsSchema }),
  z.object({
    kind: z.literal('request'),
    callId,
    operation,
    /** Parsed by the operation's own schema. */
    request: z.unknown(),
    /** The agent has seen the right marker here before: a root without it is a vanished mount. */
    markerExpected: z.boolean(),
  }),
  z.object({ kind: z.literal('cancel'), callId }),
  /** A part of a listing was taken in; the process may send another. */
  z.object({ kind: z.literal('taken'), callId }),
  /** Whether transfers have to ask before they move bytes. */
  z.object({ kind: z.literal('pace'), isLimited: z.boolean() }),
  /** Answers `ask-bytes`. */
  z.object({ kind: z.literal('granted'), callId, bytes: count }),
  /** Answers `ask-fingerprints`. */
  z.object({ kind: z.literal('fingerprints'), callId, askId: count, fingerprints: z.array(z.string().nullable()) }),
]);
/** Agent → storage process. */
export type ToProcess = z.infer<typeof toProcessSchema>;

/**
 * A piece of a directory listing, by columns: typed arrays cross the channel several times faster than objects. Pieces of
 * one directory share `listingId` and arrive in order.
 */
export const listingPartSchema = z.object({
  kind: z.literal('listing-part'),
  callId,
  listingId: z.number().int(),
  path,
  /** Of the whole directory; the same in all its pieces. */
  fingerprint: z.string().nullable(),
  /** Joined by NUL, which no name holds: one long string crosses faster than many. */
  names: z.string(),
  /** Index into `ENTRY_KINDS`. */
  kinds: z.instanceof(Uint8Array),
  sizes: z.instanceof(Float64Array),
  mtimesNs: z.instanceof(BigInt64Array),
  fileIds: z.instanceof(BigUint64Array),
  last: z.boolean(),
});
/** A piece of a directory listing. */
export type ListingPart = z.infer<typeof listingPartSchema>;

/** Meaning of `kinds` in a listing part. */
export const ENTRY_KINDS = ['file', 'directory', 'symlink', 'other'] as const;

/** Storage process → agent. */
export const fromProcessSchema = z.discriminatedUnion('kind', [
  /** Once, when it takes requests: from now on silence is the storage's, before it is this machine's. */
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('result'), callId, result: z.unknown() }),
  z.object({
    kind: z.literal('error'),
    callId,
    code: processErrorCode,
    message: z.string(),
    retry: z.enum(['transient', 'permanent']),
    fields: z.record(z.string(), z.unknown()),
  }),
  /** How far a call is; also sent while it waits for the network, so that only a stuck storage falls silent. */
  z.object({ kind: z.literal('progress'), callId, doneBytes: count }),
  listingPartSchema,
  z.object({ kind: z.literal('unreadable'), callId, path, reason: z.string() }),
  z.object({ kind: z.literal('unchanged'), callId, directories: z.array(unchangedDirectory) }),
  /** Something happened in these directories; none = all directories are being watched now. */
  z.object({ kind: z.literal('hint'), callId, directories: z.array(path) }),
  /** A transfer wants to move so many bytes; it has one such question open at a time. */
  z.object({ kind: z.literal('ask-bytes'), callId, bytes: count }),
  /** A walk wants to know what the index holds for these directories. */
  z.object({ kind: z.literal('ask-fingerprints'), callId, askId: count, directories: z.array(path) }),
  z.object({ kind: z.literal('warning'), message: z.string(), fields: z.record(z.string(), z.unknown()) }),
]);
/** Storage process → agent. */
export type FromProcess = z.infer<typeof fromProcessSchema>;
