import { describe, expect, it } from 'vitest';
import {
  blockIdOf,
  blockListBody,
  blockListOf,
  fingerprintOf,
} from '../../../agent/iconik/object-upload/azure-answers.ts';

const content = { sizeBytes: 10, mark: 'm', blockSizeBytes: 5 };

describe('block ids', () => {
  it('have one length, whatever their number, and stay within 64 bytes', () => {
    const ids = [1, 9, 10, 50_000].map((number) => blockIdOf(fingerprintOf(content), number));
    expect(new Set(ids.map((id) => id.length)).size).toBe(1);
    expect(new Set(ids).size).toBe(4);
    expect(Buffer.from(ids[0] ?? '', 'base64').length).toBeLessThanOrEqual(64);
  });

  it.each([{ sizeBytes: 11 }, { mark: 'n' }, { blockSizeBytes: 6 }])('differ for another content: %o', (change) => {
    expect(fingerprintOf({ ...content, ...change })).not.toBe(fingerprintOf(content));
  });
});

describe('a block list', () => {
  it('is read with both of its parts, a byte order mark before it or not', () => {
    const xml =
      '<?xml version="1.0" encoding="utf-8"?><BlockList><CommittedBlocks><Block><Name>YQ==</Name><Size>3</Size></Block></CommittedBlocks><UncommittedBlocks/></BlockList>';
    const read = { committed: [{ id: 'YQ==', sizeBytes: 3 }], uncommitted: [] };
    expect(blockListOf(xml)).toEqual(read);
    expect(blockListOf(`\uFEFF${xml}`)).toEqual(read);
  });

  it.each([
    '',
    '<Error><Code>BlobNotFound</Code></Error>',
    '<BlockList><UncommittedBlocks><Block><Name>YQ==</Name></Block></UncommittedBlocks></BlockList>',
    '<BlockList><UncommittedBlocks><Block><Name>YQ==</Name><Size>many</Size></Block></UncommittedBlocks></BlockList>',
  ])('is not guessed at: %s', (xml) => {
    expect(blockListOf(xml)).toBeNull();
  });

  it('is written in the order of the blocks, to be found whether part of the blob already or not', () => {
    expect(blockListBody(['Yg==', 'YQ=='])).toContain(
      '<BlockList><Latest>Yg==</Latest><Latest>YQ==</Latest></BlockList>',
    );
  });
});
