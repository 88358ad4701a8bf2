/** What a request to the direct transfer listener asks for, and what is answered: pure. */

/** What is asked for. */
export type DirectRequest =
  | { kind: 'health' }
  | { kind: 'file'; transferId: string; storageId: string; fileId: string; userId: string; signature: string }
  /** Nothing of that name here; also said of a link without its signature, which tells nobody what exists. */
  | { kind: 'unknown' }
  | { kind: 'method-refused' };

const UUID = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}';
const FILE = new RegExp(`^/v1/transfers/(${UUID})/storages/(${UUID})/files/(${UUID})/?$`);
const IS_UUID = new RegExp(`^${UUID}$`);
/** Printable ASCII; longer ones are not iconik's. */
const SIGNATURE = /^[\x21-\x7e]{8,2048}$/;

/** Path of one file of a transfer at the gateway that holds it; `storageId` is the target's. */
export function directPath(transferId: string, storageId: string, fileId: string): string {
  return `/v1/transfers/${transferId}/storages/${storageId}/files/${fileId}/`;
}

/** Reads method and target of a request. Ids come out in lower case. */
export function parseDirectRequest(method: string | undefined, target: string | undefined): DirectRequest {
  if (method !== 'GET' && method !== 'HEAD') return { kind: 'method-refused' };
  // Origin form only: a target with a host of its own is for a proxy, which this is not.
  if (!target?.startsWith('/') || target.startsWith('//')) return { kind: 'unknown' };
  const [path, query] = splitOnce(target, '?');
  if (/^\/v1\/healthcheck\/?$/.test(path)) return { kind: 'health' };
  // Matched as it was sent, undecoded and unresolved: an id needs neither, and a path that needs it is none of ours.
  const [, transferId, storageId, fileId] = FILE.exec(path) ?? [];
  const parameters = new URLSearchParams(query);
  const [userId, ...moreUsers] = parameters.getAll('user_id');
  const [signature, ...moreSignatures] = parameters.getAll('signature');
  if (!transferId || !storageId || !fileId || !userId || !signature) return { kind: 'unknown' };
  if (moreUsers.length > 0 || moreSignatures.length > 0) return { kind: 'unknown' };
  if (!IS_UUID.test(userId) || !SIGNATURE.test(signature)) return { kind: 'unknown' };
  const ids = { transferId, storageId, fileId, userId };
  const [one, two, three, four] = Object.values(ids).map((id) => id.toLowerCase());
  return {
    kind: 'file',
    transferId: one ?? '',
    storageId: two ?? '',
    fileId: three ?? '',
    userId: four ?? '',
    signature,
  };
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** The entity tag of a file: strong, since size and time to the nanosecond are what the index tells contents apart by. */
export function entityTag(facts: { sizeBytes: number; mtimeNs: string }): string {
  return `"${facts.sizeBytes}-${facts.mtimeNs}"`;
}

/** Headers that choose what of a file is sent. */
export interface ConditionHeaders {
  range?: string | undefined;
  ifRange?: string | undefined;
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
}

/** What of a file is sent. `end` is exclusive. */
export type SentRange =
  | { status: 200 | 206; start: number; end: number }
  /** 304: unchanged. 412: not the file that was begun. 416: nothing there. */
  | { status: 304 | 412 | 416 };

/**
 * Which bytes to send (RFC 9110, sections 13 and 14). One range only; several ranges, or what is no range of bytes, count as
 * none, so the whole file is sent.
 */
export function planRange(headers: ConditionHeaders, file: { sizeBytes: number; tag: string }): SentRange {
  const whole: SentRange = { status: 200, start: 0, end: file.sizeBytes };
  if (headers.ifMatch !== undefined && !names(headers.ifMatch, file.tag)) return { status: 412 };
  if (headers.ifNoneMatch !== undefined && names(headers.ifNoneMatch.replaceAll('W/', ''), file.tag))
    return { status: 304 };
  if (headers.range === undefined) return whole;
  if (headers.ifRange !== undefined && headers.ifRange !== file.tag) return whole;
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.range) ?? [];
  if (first === '' && last === '') return whole;
  if (first === '') {
    const start = Math.max(0, file.sizeBytes - Number(last));
    return start < file.sizeBytes ? { status: 206, start, end: file.sizeBytes } : { status: 416 };
  }
  const start = Number(first);
  const end = last === '' ? file.sizeBytes : Math.min(file.sizeBytes, Number(last) + 1);
  if (last !== '' && Number(last) < start) return whole;
  return start < file.sizeBytes ? { status: 206, start, end } : { status: 416 };
}

function names(header: string, tag: string): boolean {
  return header.split(',').some((one) => one.trim() === tag || one.trim() === '*');
}
