/**
 * The bytes of config.ini as text and back, without losing one. Settings are UTF-8; bytes that are not (a comment typed in an
 * old code page) become lone surrogates U+DC80 to U+DCFF, which no UTF-8 text holds, so that a save puts them back as they
 * were.
 */

/** Lone surrogate of the byte 0. */
const STRAY = 0xdc00;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What the bytes of a file are. */
export type DecodedConfig = { kind: 'text'; text: string } | { kind: 'not-text'; problem: string };

/** Reads the bytes of a config.ini. Files in UTF-16 are refused in words: written back they could be read by nobody else. */
export function decodeConfigBytes(bytes: Uint8Array): DecodedConfig {
  const mark = `${bytes[0]}-${bytes[1]}`;
  if (mark === '255-254' || mark === '254-255')
    return { kind: 'not-text', problem: 'the file is UTF-16 ("Unicode") text; save it as UTF-8' };
  return { kind: 'text', text: utf8(bytes) ?? withStrays(bytes) };
}

/** The bytes of a text that `decodeConfigBytes` gave, or of one made from it. */
export function encodeConfigText(text: string): Uint8Array {
  const encoder = new TextEncoder();
  if (text.isWellFormed()) return encoder.encode(text);
  const parts: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (isStray(code)) parts.push(code - STRAY);
    else parts.push(...encoder.encode(character));
  }
  return Uint8Array.from(parts);
}

/** Whether a value holds bytes that are no UTF-8 text. */
export const hasStrayBytes = (text: string): boolean => !text.isWellFormed();

const isStray = (code: number): boolean => code >= STRAY + 0x80 && code <= STRAY + 0xff;

function utf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    // ignored because the caller goes on byte by byte
    return null;
  }
}

function withStrays(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] ?? 0;
    const length = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    const character = byte < 0x80 ? String.fromCharCode(byte) : utf8(bytes.subarray(at, at + length));
    text += character ?? String.fromCharCode(STRAY + byte);
    at += character === null ? 1 : length;
  }
  return text;
}
