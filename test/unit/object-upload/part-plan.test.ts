import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AZURE_MAX_BLOCKS,
  B2_MAX_PARTS,
  B2_MIN_PART_BYTES,
  b2PartSizeFor,
  blockSizeFor,
  GCS_CHUNK_UNIT_BYTES,
  GCS_MAX_COMPONENTS,
  GCS_MAX_PARTS,
  gcsChunkSize,
  gcsPartSizeFor,
  heldBytes,
  partSizeFor,
  planGroups,
  planParts,
  S3_MAX_PARTS,
  S3_MIN_PART_BYTES,
} from '../../../agent/iconik/object-upload/part-plan.ts';

describe('the plan of parts', () => {
  it('never needs more parts than S3 takes, nor smaller ones', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 * 1024 ** 4 }),
        fc.integer({ min: 1, max: 10 ** 9 }),
        (size, preferred) => {
          const partSize = partSizeFor(size, preferred);
          expect(partSize).toBeGreaterThanOrEqual(S3_MIN_PART_BYTES);
          expect(Math.ceil(size / partSize)).toBeLessThanOrEqual(S3_MAX_PARTS);
        },
      ),
    );
  });

  it('never makes a block or part larger than a store takes, though the configuration allows what S3 takes', () => {
    const preferred = 5 * 1024 ** 3;
    for (const size of [1, preferred, 10 ** 13]) {
      expect(blockSizeFor(size, preferred)).toBeLessThanOrEqual(4_000 * 1024 ** 2);
      expect(b2PartSizeFor(size, preferred)).toBeLessThanOrEqual(5_000_000_000);
      expect(partSizeFor(size, preferred)).toBe(preferred);
    }
  });

  it('never needs more blocks than Azure takes, nor more or smaller parts than B2', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 * 1024 ** 4 }),
        fc.integer({ min: 1, max: 10 ** 9 }),
        (size, preferred) => {
          expect(Math.ceil(size / blockSizeFor(size, preferred))).toBeLessThanOrEqual(AZURE_MAX_BLOCKS);
          const partSize = b2PartSizeFor(size, preferred);
          expect(partSize).toBeGreaterThanOrEqual(B2_MIN_PART_BYTES);
          expect(Math.ceil(size / partSize)).toBeLessThanOrEqual(B2_MAX_PARTS);
        },
      ),
    );
  });

  it('covers each byte once, in order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 6 }), fc.integer({ min: 1_000, max: 10 ** 6 }), (size, partSize) => {
        let next = 0;
        planParts(size, partSize).forEach((part, index) => {
          expect(part).toMatchObject({ number: index + 1, offsetBytes: next });
          expect(part.lengthBytes).toBeGreaterThan(0);
          next += part.lengthBytes;
        });
        expect(next).toBe(size);
      }),
    );
  });

  it('keeps the preferred size while it may', () => {
    expect(partSizeFor(10 ** 12, 100_000_000)).toBe(100_000_000);
    expect(partSizeFor(10 ** 12 + 10 ** 9, 100_000_000)).toBeGreaterThan(100_000_000);
  });
});

describe('GCS', () => {
  it('never needs more components than two levels of composing take', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 * 1024 ** 4 }),
        fc.integer({ min: 1, max: 10 ** 9 }),
        (size, preferred) => {
          const partSize = gcsPartSizeFor(size, preferred);
          expect(partSize).toBeGreaterThanOrEqual(preferred);
          expect(Math.ceil(size / partSize)).toBeLessThanOrEqual(GCS_MAX_PARTS);
        },
      ),
    );
  });

  it('composes groups of neighbours, none larger than one request takes, and none when one request does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: GCS_MAX_PARTS }), (count) => {
        const numbers = Array.from({ length: count }, (_, index) => index + 1);
        const groups = planGroups(numbers);
        expect(groups.length === 0).toBe(count <= GCS_MAX_COMPONENTS);
        if (groups.length > 0) expect(groups.flat()).toEqual(numbers);
        expect(groups.length).toBeLessThanOrEqual(GCS_MAX_COMPONENTS);
        for (const group of groups) expect(group.length).toBeLessThanOrEqual(GCS_MAX_COMPONENTS);
      }),
    );
  });

  it('takes chunks in multiples of its unit, at least one', () => {
    expect(gcsChunkSize(1)).toBe(GCS_CHUNK_UNIT_BYTES);
    expect(gcsChunkSize(GCS_CHUNK_UNIT_BYTES * 3 + 17)).toBe(GCS_CHUNK_UNIT_BYTES * 3);
  });

  it('tells what it holds by the Range header, nothing without one', () => {
    expect(heldBytes('bytes=0-42')).toBe(43);
    expect(heldBytes(undefined)).toBe(0);
    expect(heldBytes('bytes=5-42')).toBeNull();
    expect(heldBytes('nonsense')).toBeNull();
  });
});
