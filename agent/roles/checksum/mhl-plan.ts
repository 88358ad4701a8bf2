/**
 * ASC MHL, version 2.0: the text of a manifest (`<hashlist>`) and of the chain that names it, as the published schemas
 * ASCMHL.xsd and ASCMHLDirectory.xsd have them. First generations only. Pure.
 */
import { createHash } from 'node:crypto';
import type { Recorded } from './verify-plan.ts';

/** Folder of the history in the directory it is about. */
export const MHL_FOLDER = 'ascmhl';
/** Name of the chain in that folder. */
export const MHL_CHAIN = 'ascmhl_chain.xml';

/** Who writes a manifest, and when. */
export interface MhlOrigin {
  /** Name of the directory; of a whole storage the storage's. */
  directoryName: string;
  createdMs: number;
  hostName: string;
  version: string;
}

/** Without fractions: `2026-01-31T10:00:00Z`. */
const isoSeconds = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** Of the directory's name as much is used as leaves the list's within the 255 bytes of most file systems. */
const MOST_NAME_BYTES = 200;

/** The name of a directory as part of a file name: cut, and without what XML cannot hold. */
function shortName(name: string): string {
  let short = '';
  for (const character of name) {
    if (Buffer.byteLength(short + character) > MOST_NAME_BYTES) break;
    short += isSayable(character) && character >= ' ' ? character : '_';
  }
  return short;
}

/** Name of the first manifest of a directory. */
export function manifestName({ directoryName, createdMs }: MhlOrigin): string {
  const at = isoSeconds(createdMs).replace('T', '_').replaceAll(':', '');
  return `0001_${shortName(directoryName)}_${at}.mhl`;
}

/** Whether XML 1.0 can hold a text: not with most control characters, halves of pairs, U+FFFE and U+FFFF. */
export function isSayable(text: string): boolean {
  const isCharacter = (character: string) =>
    (character >= ' ' || '\t\n\r'.includes(character)) && character !== '\ufffe' && character !== '\uffff';
  return text.isWellFormed() && Array.from(text).every(isCharacter);
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"\t\n\r]/g, (character) => ENTITIES[character] ?? `&#${character.charCodeAt(0)};`);
}

/** What comes before the hashes. */
export function manifestHead({ createdMs, hostName, version }: MhlOrigin): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<hashlist version="2.0" xmlns="urn:ASC:MHL:v2.0">
  <creatorinfo>
    <creationdate>${isoSeconds(createdMs)}</creationdate>
    <hostname>${escaped(hostName)}</hostname>
    <tool version="${escaped(version)}">ISG Pro</tool>
  </creatorinfo>
  <processinfo>
    <process>in-place</process>
  </processinfo>
  <hashes>
`;
}

/** One file; `relativePath` from the directory that the manifest is about. */
export function manifestEntry(relativePath: string, file: Recorded): string {
  const modified = isoSeconds(Number(BigInt(file.mtimeNs) / 1_000_000n));
  const fast = file.xxh128 === null ? '' : `\n      <xxh128 action="original">${file.xxh128}</xxh128>`;
  return `    <hash>
      <path size="${file.sizeBytes}" lastmodificationdate="${modified}">${escaped(relativePath)}</path>
      <md5 action="original">${file.md5}</md5>${fast}
    </hash>
`;
}

/** What comes after the hashes. */
export const MANIFEST_TAIL = '  </hashes>\n</hashlist>\n';

/** Whether a chain is the one that `chainOf` writes for a manifest. */
export function isChainOf(chain: string, manifest: string): boolean {
  return chain.includes(`<path>${escaped(manifest)}</path>`);
}

/** The chain of a directory with one manifest. */
export function chainOf(manifest: string, c4: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<ascmhldirectory xmlns="urn:ASC:MHL:DIRECTORY:v2.0">
  <hashlist sequencenr="1">
    <path>${escaped(manifest)}</path>
    <c4>${c4}</c4>
  </hashlist>
</ascmhldirectory>
`;
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
/** Digits that a SHA-512 takes at most. */
const C4_DIGITS = 88;

/** Adds up the C4 id of a text: `c4` and its SHA-512 in base 58, 90 characters in all. */
export class C4Sum {
  readonly #sha = createHash('sha512');

  add(text: string): void {
    this.#sha.update(text, 'utf8');
  }

  /** The id; nothing can be added after it. */
  id(): string {
    let rest = BigInt(`0x${this.#sha.digest('hex')}`);
    let digits = '';
    for (; rest > 0n; rest /= 58n) digits = `${BASE58[Number(rest % 58n)]}${digits}`;
    return `c4${digits.padStart(C4_DIGITS, '1')}`;
  }
}
