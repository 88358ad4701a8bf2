/**
 * Legible names for what text cannot tell apart: names that are not UTF-8 (Linux allows any bytes), and names that differ from
 * another one only in composition (NFC, NFD). The odd bytes stand as hex digits between `⟦` and `⟧`: `caf⟦e9⟧.mov`. Pure.
 * Nothing is stored about it: where the storage is touched, a name with such a group that is not there as written stands for
 * the bytes it spells (`process/disk-path.ts`).
 */
import { isUtf8 } from 'node:buffer';

/** Only bytes from 80 on: no group can spell a slash, a dot, or a NUL. */
const GROUP = /⟦((?:[89a-f][0-9a-f])+)⟧/g;

/** Whether a name or path holds a group, and so may stand for other bytes. */
export function mayStandForBytes(text: string): boolean {
  return text.includes('⟦') && text.search(GROUP) >= 0;
}

/** The bytes that a name with groups spells; null when it has none. */
export function spelledBytes(name: string): Buffer | null {
  if (!mayStandForBytes(name)) return null;
  const parts: Buffer[] = [];
  let at = 0;
  for (const match of name.matchAll(GROUP)) {
    parts.push(Buffer.from(name.slice(at, match.index)), Buffer.from(match[1] ?? '', 'hex'));
    at = match.index + match[0].length;
  }
  parts.push(Buffer.from(name.slice(at)));
  return Buffer.concat(parts);
}

const groupOf = (bytes: Uint8Array) => `⟦${Buffer.from(bytes).toString('hex')}⟧`;

/** Length of the UTF-8 sequence that a byte begins. */
function sequenceLength(lead: number): number {
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

function checked(name: string, bytes: Uint8Array): string | null {
  return spelledBytes(name)?.equals(bytes) ? name : null;
}

/** Legible form of a name that is not UTF-8; null when it would stand for other bytes (it holds such a group already). */
export function legibleName(bytes: Buffer): string | null {
  let name = '';
  let odd: number[] = [];
  const endGroup = () => {
    if (odd.length > 0) name += groupOf(Uint8Array.from(odd));
    odd = [];
  };
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] ?? 0;
    const end = lead < 0x80 ? at + 1 : at + sequenceLength(lead);
    const sequence = bytes.subarray(at, end);
    if (lead < 0x80 || (end <= bytes.length && isUtf8(sequence))) {
      endGroup();
      name += sequence.toString('utf8');
      at = end;
    } else {
      odd.push(lead);
      at += 1;
    }
  }
  endGroup();
  return checked(name, bytes);
}

/**
 * Form of a name that tells it from those which differ from it only in composition: combining marks, and characters that NFC
 * writes otherwise, are spelled as bytes; of a name without any, all that is not ASCII. null when there is no such form.
 */
export function distinctName(name: string): string | null {
  const spell = (isOdd: (character: string) => boolean) =>
    Array.from(name, (character) => (isOdd(character) ? groupOf(Buffer.from(character)) : character)).join('');
  const marked = spell((character) => /\p{M}/u.test(character) || character.normalize('NFC') !== character);
  return checked(marked === name ? spell((character) => character > '\x7f') : marked, Buffer.from(name));
}
