import { createHash } from 'node:crypto';
import { childText, tryParseXml, type XmlElement } from './xml-document.ts';

/** A block that Azure holds. */
export interface HeldBlock {
  /** Base64, as it was sent. */
  id: string;
  sizeBytes: number;
}

/** What a blob consists of, in order, and which blocks wait to become part of it. */
export interface BlockList {
  committed: HeldBlock[];
  uncommitted: HeldBlock[];
}

/** Bytes of the digest in a block id: enough that two contents never share ids. */
const FINGERPRINT_DIGITS = 24;

/**
 * Id of a block: the content it belongs to and its number, so that blocks of another content (or of another block size) are
 * never taken for ours. All ids of a blob must have one length.
 */
export function blockIdOf(fingerprint: string, number: number): string {
  return Buffer.from(`${fingerprint}-${String(number).padStart(5, '0')}`).toString('base64');
}

/** What the blocks of one content in one block size have in common. */
export function fingerprintOf(content: { sizeBytes: number; mark: string; blockSizeBytes: number }): string {
  const { sizeBytes, mark, blockSizeBytes } = content;
  const digest = createHash('sha256').update(JSON.stringify([sizeBytes, mark, blockSizeBytes]));
  return digest.digest('hex').slice(0, FINGERPRINT_DIGITS);
}

/** The block list of an answer; null when the body is none. */
export function blockListOf(body: string): BlockList | null {
  const document = tryParseXml(body);
  if (document?.name !== 'BlockList') return null;
  const committed = blocksOf(document, 'CommittedBlocks');
  const uncommitted = blocksOf(document, 'UncommittedBlocks');
  return committed && uncommitted ? { committed, uncommitted } : null;
}

function blocksOf(document: XmlElement, name: string): HeldBlock[] | null {
  const blocks: HeldBlock[] = [];
  for (const element of document.children.find((child) => child.name === name)?.children ?? []) {
    const id = childText(element, 'Name');
    const sizeText = childText(element, 'Size');
    const sizeBytes = Number(sizeText);
    if (!id || sizeText === null || !Number.isSafeInteger(sizeBytes)) return null;
    blocks.push({ id, sizeBytes });
  }
  return blocks;
}

/** Body of the request that puts the blob together, blocks in this order. `Latest` also finds those that are committed already. */
export function blockListBody(ids: readonly string[]): string {
  const blocks = ids.map((id) => `<Latest>${id}</Latest>`).join('');
  return `<?xml version="1.0" encoding="utf-8"?><BlockList>${blocks}</BlockList>`;
}
