import { IsgError } from '../../runtime/errors.ts';
import type { DigestRange, HttpAnswer, SendRange } from '../../storage/storage-access.ts';
import { assertUsableUrl, repeatWhileBusy, type StoreDeps } from './object-store-http.ts';
import { withStallWatch } from './stall-watch.ts';
import type { UploadObjectArgs } from './upload-object.ts';

/** The file of one upload, pinned to how it looked at the start. */
export interface ObjectSource {
  args: UploadObjectArgs;
  expected: { sizeBytes: number; mtimeNs: string };
}

/** Pins the file: throws `file-not-found` or `file-changed` when it is not what the caller described. */
export async function pinSource(args: UploadObjectArgs): Promise<ObjectSource> {
  if (args.mtimeNs !== undefined) return { args, expected: { sizeBytes: args.sizeBytes, mtimeNs: args.mtimeNs } };
  const facts = await args.source.stat(args.path);
  if (!facts) {
    throw new IsgError('file-not-found', `${args.path} is gone; nothing was uploaded.`, { retry: 'permanent' });
  }
  if (facts.sizeBytes !== args.sizeBytes) {
    const message = `${args.path} has ${facts.sizeBytes} bytes, not ${args.sizeBytes}; nothing was uploaded.`;
    throw new IsgError('file-changed', message, { retry: 'permanent' });
  }
  return { args, expected: { sizeBytes: args.sizeBytes, mtimeNs: facts.mtimeNs } };
}

/** What a checkpoint remembers of the content it is about. */
export interface RememberedContent {
  sizeBytes: number;
  mtimeNs: string;
  /** Absent when it was not known. */
  md5?: string | undefined;
}

/** What to remember of the content, for `isSameContent`. */
export function contentOf({ args, expected }: ObjectSource): RememberedContent {
  return { ...expected, ...(args.md5 === undefined ? {} : { md5: args.md5 }) };
}

/** Whether a checkpoint is about the bytes of this file: parts of two contents would make an object of neither. */
export function isSameContent(saved: RememberedContent, { args, expected }: ObjectSource): boolean {
  if (saved.sizeBytes !== expected.sizeBytes) return false;
  if (saved.md5 !== undefined && args.md5 !== undefined) return saved.md5 === args.md5;
  return saved.mtimeNs === expected.mtimeNs;
}

/** Bytes of the file. */
export interface FileRange {
  offsetBytes: number;
  lengthBytes: number;
}

/** Digest of a range in hex; throws `file-changed` when the file is not the pinned one any more. */
export function digestOfRange(
  source: ObjectSource,
  range: FileRange,
  algorithm: DigestRange['algorithm'],
  signal: AbortSignal,
): Promise<string> {
  const { args, expected } = source;
  const { offsetBytes, lengthBytes } = range;
  return args.source.digestRange({ path: args.path, offsetBytes, lengthBytes, algorithm, expected }, { signal });
}

/** MD5 of the whole file in hex: the caller's, else read now. */
export async function md5OfWhole(source: ObjectSource): Promise<string> {
  const { md5, sizeBytes, signal } = source.args;
  return md5 ?? (await digestOfRange(source, { offsetBytes: 0, lengthBytes: sizeBytes }, 'md5', signal));
}

/** A digest in hex as headers want it. */
export function base64OfHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

/** One send of bytes of the file. */
export interface RangeSend {
  what: string;
  range: FileRange;
  request: { url: string; method: SendRange['method']; headers: Record<string, string> };
  signal: AbortSignal;
  onBytes?: (sentBytes: number) => void;
}

/** Sends a range once, given up when no byte moves. Resolves with whatever the store answered. */
export function sendRangeOnce(deps: StoreDeps, source: ObjectSource, send: RangeSend): Promise<HttpAnswer> {
  assertUsableUrl(send.request.url);
  const { args, expected } = source;
  const watch = { clock: deps.clock, stallMs: deps.stallMs, signal: send.signal, what: send.what };
  return withStallWatch(watch, (signal, alive) => {
    const onProgress = (doneBytes: number) => {
      alive();
      send.onBytes?.(doneBytes);
    };
    return args.source.sendRange({ path: args.path, ...send.range, ...send.request, expected }, { signal, onProgress });
  });
}

/** Sends a range, again when the store is away or busy. */
export function sendRangeRepeatedly(deps: StoreDeps, source: ObjectSource, send: RangeSend): Promise<HttpAnswer> {
  const about = { signal: send.signal, what: send.what, url: send.request.url };
  return repeatWhileBusy(deps, about, () => sendRangeOnce(deps, source, send));
}
