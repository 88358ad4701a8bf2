import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  completeBody,
  errorCodeOf,
  isCompleteAnswer,
  partsPageOf,
  uploadIdOf,
} from '../../../agent/iconik/object-upload/s3-answers.ts';
import { compositeEtag } from '../../../agent/iconik/object-upload/s3-session.ts';
import { childText, escapeXml, tryParseXml } from '../../../agent/iconik/object-upload/xml-document.ts';

describe('XML of object stores', () => {
  it('is read with namespaces, entities and a byte order mark', () => {
    const document = tryParseXml(
      '\uFEFF<?xml version="1.0"?>\n<a:Root xmlns:a="u"><Key>x &amp; &#x79;</Key><Empty/></a:Root>',
    );
    expect(document?.name).toBe('Root');
    expect(document && childText(document, 'Key')).toBe('x & y');
    expect(document && childText(document, 'Empty')).toBe('');
  });

  it.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['an unknown entity', '<a>&x;</a>'],
    ['crossed tags', '<a><b></a></b>'],
    ['an open tag', '<a><b>'],
    ['two roots', '<a/><b/>'],
    ['text outside', 'busy'],
    ['an HTML page', '<!doctype html><html><body>Gateway</body></html>'],
    ['nothing', ''],
    ['depth without end', '<a>'.repeat(100) + '</a>'.repeat(100)],
  ])('is refused when it is %s', (_what, xml) => {
    expect(tryParseXml(xml)).toBeNull();
  });

  it('survives escaping', () => {
    const text = `<"a" & 'b'>`;
    expect(tryParseXml(`<t>${escapeXml(text)}</t>`)?.text).toBe(text);
  });
});

describe('answers of S3', () => {
  it('name the upload only in the answer to its start', () => {
    expect(uploadIdOf('<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>')).toBe(
      'u1',
    );
    expect(uploadIdOf('<Other><UploadId>u1</UploadId></Other>')).toBeNull();
    expect(uploadIdOf('<InitiateMultipartUploadResult/>')).toBeNull();
  });

  it('are errors by their document, whatever the status was', () => {
    expect(errorCodeOf('<Error><Code>SlowDown</Code></Error>')).toBe('SlowDown');
    expect(errorCodeOf('oops')).toBeNull();
    expect(isCompleteAnswer('<Error><Code>InternalError</Code></Error>')).toBe(false);
    expect(isCompleteAnswer('<CompleteMultipartUploadResult/>')).toBe(true);
  });

  it('list parts with quoted ETags, or are refused whole', () => {
    const part = '<Part><PartNumber>2</PartNumber><ETag>&quot;e&quot;</ETag><Size>7</Size></Part>';
    expect(partsPageOf(`<ListPartsResult><IsTruncated>true</IsTruncated>${part}</ListPartsResult>`)).toEqual({
      parts: [{ number: 2, etag: '"e"', sizeBytes: 7 }],
      isTruncated: true,
    });
    expect(partsPageOf('<ListPartsResult><Part><PartNumber>x</PartNumber></Part></ListPartsResult>')).toBeNull();
    expect(partsPageOf('<Error/>')).toBeNull();
  });

  it('get the parts in ascending order', () => {
    const body = completeBody([
      { number: 10, etag: '"b"', sizeBytes: 1 },
      { number: 9, etag: '"a"', sizeBytes: 1 },
    ]);
    expect([...body.matchAll(/<PartNumber>(\d+)</g)].map((match) => match[1])).toEqual(['9', '10']);
    expect(body).toContain('&quot;a&quot;');
  });
});

describe('the ETag of a finished object', () => {
  it('is the MD5 of the parts MD5s with their number', () => {
    const one = createHash('md5').update('one').digest('hex');
    const expected = createHash('md5')
      .update(Buffer.from(one + one, 'hex'))
      .digest('hex');
    const parts = [1, 2].map((number) => ({ number, etag: `"${one.toUpperCase()}"`, sizeBytes: 3 }));
    expect(compositeEtag(parts)).toBe(`${expected}-2`);
  });

  it('is unknown when a part has an ETag that is no MD5', () => {
    expect(compositeEtag([{ number: 1, etag: '"opaque"', sizeBytes: 1 }])).toBeNull();
  });
});
