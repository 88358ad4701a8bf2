import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combineCrc32c } from '../../../agent/iconik/object-upload/crc32c.ts';
import { composeBody, crc32cOf, gcsFactsOf } from '../../../agent/iconik/object-upload/gcs-answers.ts';
import { crc32cOfBytes } from '../../stand-in/object-store/crc32c.ts';

const crcOf = (bytes: Uint8Array) => crc32cOfBytes([bytes]);

describe('CRC-32C', () => {
  it('of the well-known text is the well-known one', async () => {
    expect(await crcOf(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  it('of two pieces follows from those of the pieces', async () => {
    const piece = fc.uint8Array({ maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(piece, piece, async (first, second) => {
        const combined = combineCrc32c(await crcOf(first), await crcOf(second), second.length);
        expect(combined).toBe(await crcOf(Buffer.concat([first, second])));
      }),
    );
  });

  it('of pieces of many gigabytes does not depend on how they are grouped', () => {
    const lengthBytes = 5 * 1024 ** 3 + 7;
    const [a, b, c] = [0x12345678, 0x9abcdef0, 0x0f1e2d3c];
    const fromLeft = combineCrc32c(combineCrc32c(a, b, lengthBytes), c, 2 * lengthBytes);
    const fromRight = combineCrc32c(a, combineCrc32c(b, c, 2 * lengthBytes), 3 * lengthBytes);
    expect(fromLeft).toBe(fromRight);
  });

  it('of a whole is not known when that of one piece is not', () => {
    expect(crc32cOf([{ crc32c: 1, sizeBytes: 2 }, { sizeBytes: 3 }])).toBeNull();
  });
});

describe('what GCS says of an object', () => {
  it('is read from its headers, in one line or several', () => {
    const headers = {
      'x-goog-generation': '1700000000000001',
      'x-goog-hash': 'crc32c=4waSgw==, md5=JfnnlDI7RTiF9RgfGNLJoQ==',
    };
    expect(gcsFactsOf(headers)).toEqual({
      generation: '1700000000000001',
      crc32c: 0xe3069283,
      md5: '25f9e794323b453885f5181f18d2c9a1',
    });
  });

  it('counts as not said when it cannot be read', () => {
    expect(gcsFactsOf({ 'x-goog-generation': 'x', 'x-goog-hash': 'crc32c=AA==,md5=' })).toEqual({});
    expect(gcsFactsOf({})).toEqual({});
  });
});

describe('the request to compose', () => {
  it('names components in order, with their generation where it is known, and no markup of names', () => {
    const body = composeBody([{ key: 'dir/<a>&"b"', generation: '7' }, { key: 'c' }]);
    expect(body).toContain(
      '<Component><Name>dir/&lt;a&gt;&amp;&quot;b&quot;</Name><Generation>7</Generation></Component>' +
        '<Component><Name>c</Name></Component>',
    );
  });
});
