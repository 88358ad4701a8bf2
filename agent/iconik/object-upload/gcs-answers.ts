import { combineCrc32c } from './crc32c.ts';
import { escapeXml } from './xml-document.ts';

/** What GCS says about an object in the headers of an answer. Absent where it does not say it. */
export interface GcsFacts {
  /** Which writing of the object it is; a later one has another. */
  generation?: string | undefined;
  /** Unsigned 32 bit. */
  crc32c?: number | undefined;
  /** Hex. Objects made of components have none. */
  md5?: string | undefined;
}

/** A component as the store has confirmed it. */
export interface GcsComponent extends GcsFacts {
  number: number;
  sizeBytes: number;
}

/** Reads `x-goog-generation` and `x-goog-hash`; header names in lower case. What cannot be read counts as not said. */
export function gcsFactsOf(headers: Record<string, string>): GcsFacts {
  const hashes = new Map<string, Buffer>();
  for (const [, name = '', value = ''] of (headers['x-goog-hash'] ?? '').matchAll(/(\w+)=([A-Za-z0-9+/]+=*)/g)) {
    hashes.set(name, Buffer.from(value, 'base64'));
  }
  const crc32c = hashes.get('crc32c');
  const md5 = hashes.get('md5');
  const generation = headers['x-goog-generation'];
  return {
    ...(generation && /^\d+$/.test(generation) ? { generation } : {}),
    ...(crc32c?.length === 4 ? { crc32c: crc32c.readUInt32BE() } : {}),
    ...(md5?.length === 16 ? { md5: md5.toString('hex') } : {}),
  };
}

/** CRC-32C of the components one after the other; null when the store has not said that of each. */
export function crc32cOf(components: readonly { crc32c?: number | undefined; sizeBytes: number }[]): number | null {
  let whole = 0;
  for (const { crc32c, sizeBytes } of components) {
    if (crc32c === undefined) return null;
    whole = combineCrc32c(whole, crc32c, sizeBytes);
  }
  return whole;
}

/**
 * Body of a compose request, components in order. Each is named with its generation where it is known: the object is made of
 * exactly the bytes that were confirmed, or not at all.
 */
export function composeBody(components: readonly { key: string; generation?: string | undefined }[]): string {
  const lines = components.map(({ key, generation }) => {
    const pinned = generation === undefined ? '' : `<Generation>${generation}</Generation>`;
    return `<Component><Name>${escapeXml(key)}</Name>${pinned}</Component>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?><ComposeRequest>${lines.join('')}</ComposeRequest>`;
}
