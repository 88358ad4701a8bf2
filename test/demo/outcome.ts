import { z } from 'zod';
import type { ClipKind } from './clips.ts';

const text = z.string().nullish();
/** The fields of the stand-in's records that the check looks at. */
const entrySchema = z.object({
  id: z.string(),
  status: text,
  name: text,
  title: text,
  type: text,
  filename: text,
  checksum: text,
  size: z.number().nullish(),
  storage_id: text,
  asset_id: text,
  format_id: text,
  directory_path: text,
  base_dir: text,
});
/** A record of the stand-in. */
export type Entry = z.infer<typeof entrySchema>;

/** Parses the stand-in's records of one kind. */
export const parseEntries = (records: readonly unknown[]): Entry[] => z.array(entrySchema).parse(records);

/** What the stand-in holds at the end. */
export interface AccountRecords {
  assets: readonly Entry[];
  formats: readonly Entry[];
  fileSets: readonly Entry[];
  files: readonly Entry[];
  proxies: readonly Entry[];
  keyframes: readonly Entry[];
}

/** A file on the storage at the end, with the digest that `md5sum` gave. */
export interface MediaFile {
  path: string;
  kind: ClipKind;
  md5: string;
  sizeBytes: number;
}

/** An object that was uploaded, as the object store has it. */
export interface StoredObject {
  md5: string;
  sizeBytes: number;
  /** ffprobe could read it to the end; null when not asked. */
  playable: boolean | null;
}

/** Everything the check looks at. */
export interface Evidence {
  media: readonly MediaFile[];
  records: AccountRecords;
  localStorageId: string;
  /** Where originals are uploaded to; null when the storage asks for none. */
  remoteStorageId: string | null;
  objectOf: (entry: Entry) => StoredObject | null;
}

/** What the check found. */
export interface Outcome {
  problems: string[];
  files: number;
  assets: number;
  proxies: number;
  uploads: number;
  /** Records that exist twice for one thing. */
  duplicates: number;
}

const pathOf = (file: Entry): string => [file.directory_path, file.name].filter(Boolean).join('/');
const alive = (entries: readonly Entry[]): Entry[] => entries.filter(({ status }) => status !== 'DELETED');

/** Groups of more than one entry with the same key. */
function twins(entries: readonly Entry[], keyOf: (entry: Entry) => string): [key: string, count: number][] {
  const counts = new Map<string, number>();
  for (const entry of entries) counts.set(keyOf(entry), (counts.get(keyOf(entry)) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 1);
}

/** Compares what iconik holds with what lies on the disk; every difference is a problem in words. */
export function checkOutcome(evidence: Evidence): Outcome {
  const { media, records, localStorageId, remoteStorageId } = evidence;
  const problems: string[] = [];
  const files = alive(records.files);
  const local = files.filter((file) => file.storage_id === localStorageId);
  const expected = media.filter(({ kind }) => kind !== 'empty');
  const ownAssets = new Set(local.map((file) => String(file.asset_id)));
  const duplicates = countTwins(records, problems);
  for (const file of expected) checkFile(file, local, problems);
  const known = new Set(expected.map(({ path }) => path.normalize('NFC')));
  for (const file of local) {
    if (!known.has(pathOf(file).normalize('NFC')))
      problems.push(`iconik has a file ${pathOf(file)} that is not on the storage`);
  }
  checkAssets(expected, local, records, problems);
  const proxies = checkProxies(evidence, expected, local, problems);
  const uploads = remoteStorageId ? checkUploads(evidence, ownAssets, local, problems) : 0;
  return { problems, files: local.length, assets: ownAssets.size, proxies, uploads, duplicates };
}

function countTwins(records: AccountRecords, problems: string[]): number {
  const found = [
    ...twins(alive(records.files), (file) => `file ${file.storage_id} ${pathOf(file)}`),
    ...twins(alive(records.formats), (format) => `format ${format.asset_id} ${format.name}`),
    ...twins(
      alive(records.fileSets),
      (set) => `file set ${set.format_id} ${set.storage_id} ${set.base_dir} ${set.name}`,
    ),
    ...twins(alive(records.proxies), (proxy) => `proxy ${proxy.asset_id} ${proxy.filename}`),
    ...twins(
      alive(records.keyframes),
      (keyframe) => `keyframe ${keyframe.asset_id} ${keyframe.type} ${keyframe.filename}`,
    ),
  ];
  for (const [key, count] of found) problems.push(`${count} records of one ${key}`);
  return found.length;
}

function checkFile(file: MediaFile, local: readonly Entry[], problems: string[]): void {
  const [record] = local.filter((candidate) => pathOf(candidate).normalize('NFC') === file.path.normalize('NFC'));
  if (!record) problems.push(`${file.path} is not in iconik`);
  else if (record.status !== 'CLOSED') problems.push(`${file.path} is ${record.status}, not CLOSED`);
  else if (record.checksum !== file.md5)
    problems.push(`${file.path} has checksum ${record.checksum}, md5sum says ${file.md5}`);
  else if (record.size !== file.sizeBytes)
    problems.push(`${file.path} has size ${record.size}, the disk says ${file.sizeBytes}`);
}

function checkAssets(
  expected: readonly MediaFile[],
  local: readonly Entry[],
  records: AccountRecords,
  problems: string[],
): void {
  const contents = new Map<string, Set<string>>();
  for (const file of local) {
    const assets = contents.get(String(file.checksum)) ?? new Set();
    contents.set(String(file.checksum), assets.add(String(file.asset_id)));
  }
  for (const { md5, path } of expected) {
    const assets = contents.get(md5)?.size ?? 0;
    if (assets > 1) problems.push(`the content of ${path} has ${assets} assets`);
  }
  const used = new Set(alive(records.files).map((file) => String(file.asset_id)));
  for (const asset of alive(records.assets)) {
    if (!used.has(asset.id)) problems.push(`asset ${asset.title} (${asset.id}) has no file`);
  }
}

function checkProxies(
  { records, objectOf }: Evidence,
  expected: readonly MediaFile[],
  local: readonly Entry[],
  problems: string[],
): number {
  for (const file of expected) {
    const asset = local.find((record) => record.checksum === file.md5)?.asset_id;
    if (asset === undefined || !['video', 'audio', 'still'].includes(file.kind)) continue;
    const proxy = alive(records.proxies).find((entry) => entry.asset_id === asset);
    if (!proxy) problems.push(`${file.path} has no proxy`);
    else if (proxy.status !== 'CLOSED') problems.push(`the proxy of ${file.path} is ${proxy.status}`);
    else if (objectOf(proxy)?.playable !== true) problems.push(`the proxy of ${file.path} cannot be played`);
    if (file.kind !== 'video') continue;
    const poster = alive(records.keyframes).find((entry) => entry.asset_id === asset && entry.type === 'POSTER');
    if (poster?.status !== 'CLOSED' || !objectOf(poster)?.sizeBytes) problems.push(`${file.path} has no poster`);
  }
  return alive(records.proxies).filter(({ status }) => status === 'CLOSED').length;
}

function checkUploads(
  { records, remoteStorageId, objectOf }: Evidence,
  ownAssets: ReadonlySet<string>,
  local: readonly Entry[],
  problems: string[],
): number {
  const remote = alive(records.files).filter((file) => file.storage_id === remoteStorageId);
  for (const asset of ownAssets) {
    const original = local.find((file) => file.asset_id === asset);
    const copy = remote.find((file) => file.asset_id === asset);
    const name = original ? pathOf(original) : asset;
    if (!copy) problems.push(`${name} was not uploaded`);
    else if (copy.status !== 'CLOSED') problems.push(`the upload of ${name} is ${copy.status}`);
    else if (objectOf(copy)?.md5 !== original?.checksum) problems.push(`the uploaded bytes of ${name} differ`);
  }
  return remote.filter(({ status }) => status === 'CLOSED').length;
}
