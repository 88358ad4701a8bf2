import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { expect, test } from 'vitest';
import { type TestAccount, testAccount } from './account.ts';

const MIB = 1024 * 1024;
const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const bytesOf = (sizeBytes: number, seed: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 31 + seed) % 251);
const put = (url: string, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'PUT', body, headers });

async function s3File(account: TestAccount) {
  const { file, fileId, assetId, fileSetId } = await account.ingest('big.mov', account.seeded.cloud.filesId);
  const initiated = await fetch(String(file.multipart_upload_url), { method: 'POST' });
  const uploadId = /<UploadId>(.*?)<\/UploadId>/.exec(await initiated.text())?.[1] ?? '';
  const at = `files/v1/assets/${assetId}/files/${fileId}`;
  const partUrl = async (number: number): Promise<string> => {
    const { body } = await account.call(
      'GET',
      `${at}/multipart_url/part/?upload_id=${uploadId}&parts_num=12&per_page=5&page=${Math.ceil(number / 5)}`,
    );
    return (body.objects as { number: number; url: string }[]).find((part) => part.number === number)?.url ?? '';
  };
  const urls = async () => (await account.call('GET', `${at}/multipart_url/?upload_id=${uploadId}`)).body;
  const complete = async (parts: [number, string][]) => {
    const xml = parts
      .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>"${etag}"</ETag></Part>`)
      .join('');
    return fetch(String((await urls()).complete_url), {
      method: 'POST',
      body: `<CompleteMultipartUpload>${xml}</CompleteMultipartUpload>`,
    });
  };
  return { fileId, fileSetId, assetId, at, file, uploadId, partUrl, urls, complete };
}

test('an S3 multipart upload makes one object with exactly the bytes, and the file can be downloaded', async () => {
  await using account = await testAccount();
  const upload = await s3File(account);
  const [one, two] = [bytesOf(5 * MIB, 1), bytesOf(100, 2)];
  expect((await put(await upload.partUrl(1), one)).headers.get('etag')).toBe(`"${md5(one)}"`);
  await put(await upload.partUrl(2), two);
  const listed = await (await fetch(String(((await upload.urls()).list_parts_url as string[])[0]))).text();
  expect(listed).toContain('<PartNumber>2</PartNumber>');
  expect(
    (
      await upload.complete([
        [1, md5(one)],
        [2, md5(two)],
      ])
    ).status,
  ).toBe(200);
  const whole = Buffer.concat([one, two]);
  const object = account.standIn.object(account.standIn.objectKey(upload.fileId) ?? '');
  expect(object).toMatchObject({ sizeBytes: whole.length, md5: md5(whole), writes: 1 });
  expect(md5(readFileSync(object?.path ?? ''))).toBe(md5(whole));
  await account.call('PATCH', `${upload.at}/`, { status: 'CLOSED' });
  const { body } = await account.call('GET', `files/v1/assets/${upload.assetId}/file_sets/${upload.fileSetId}/files/`);
  const url = String((body.objects as { url: string }[])[0]?.url);
  const part = await fetch(url, { headers: { range: 'bytes=10-19' } });
  expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${whole.length}`]);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(whole.subarray(10, 20));
  expect(md5(Buffer.from(await (await fetch(url)).arrayBuffer()))).toBe(md5(whole));
  expect((await fetch(url, { headers: { range: `bytes=${whole.length}-` } })).status).toBe(416);
  expect(account.standIn.state()).toMatchObject({ violations: [], answerFaults: [] });
});

test('S3 refuses wrong order, wrong ETags, small parts and finished uploads', async () => {
  await using account = await testAccount();
  const upload = await s3File(account);
  const [one, two] = [bytesOf(1000, 1), bytesOf(1000, 2)];
  await put(await upload.partUrl(1), one);
  await put(await upload.partUrl(2), two);
  const code = async (parts: [number, string][]) =>
    /<Code>(.*?)<\/Code>/.exec(await (await upload.complete(parts)).text())?.[1];
  expect(
    await code([
      [2, md5(two)],
      [1, md5(one)],
    ]),
  ).toBe('InvalidPartOrder');
  expect(
    await code([
      [1, md5(two)],
      [2, md5(two)],
    ]),
  ).toBe('InvalidPart');
  expect(
    await code([
      [1, md5(one)],
      [2, md5(two)],
    ]),
  ).toBe('EntityTooSmall');
  expect(await code([])).toBe('MalformedXML');
  expect((await fetch(String((await upload.urls()).abort_url), { method: 'DELETE' })).status).toBe(204);
  expect(await code([[2, md5(two)]])).toBe('NoSuchUpload');
  expect(account.standIn.objects()).toEqual([]);
});

test('a part URL bound to an MD5 takes only those bytes', async () => {
  await using account = await testAccount();
  const upload = await s3File(account);
  const body = bytesOf(100, 1);
  const checksum = createHash('md5').update(body).digest('base64');
  const asked = { upload_id: upload.uploadId, parts: [{ part_number: 1, checksum }] };
  const reply = await account.call('POST', `${upload.at}/multipart_url/s3/part/`, asked);
  const url = (reply.body.parts as { url: string }[])[0]?.url ?? '';
  expect((await put(url, body)).status).toBe(403);
  expect((await put(url, bytesOf(100, 2), { 'content-md5': checksum })).status).toBe(400);
  expect((await put(url, body, { 'content-md5': checksum })).status).toBe(200);
});

test('an expired, changed or misused URL is refused with 403', async () => {
  let nowMs = Date.now();
  await using account = await testAccount({ nowMs: () => nowMs, urlLifetimeMs: 1000 });
  const { file } = await account.ingest('a.mov', account.seeded.cloud.filesId);
  const url = String(file.upload_url);
  expect((await put(url.replace('a.mov', 'b.mov'), bytesOf(1, 1))).status).toBe(403);
  expect((await fetch(url)).status).toBe(403);
  nowMs += 1001;
  const expired = await put(url, bytesOf(1, 1));
  expect([expired.status, await expired.text()]).toEqual([403, expect.stringContaining('expired')]);
});

test('a refused upload that waits for 100-continue never sends its body', async () => {
  await using account = await testAccount();
  const { file } = await account.ingest('a.mov', account.seeded.cloud.filesId);
  const url = String(file.upload_url).replace('a.mov', 'b.mov');
  const headers = { expect: '100-continue', 'content-length': String(64 * MIB) };
  const seen = await new Promise<string>((resolve, reject) => {
    const request = httpRequest(url, { method: 'PUT', headers });
    request.on('continue', () => resolve('continue'));
    request.on('response', (response) => resolve(String(response.statusCode)));
    request.on('error', reject);
    request.flushHeaders();
  });
  expect(seen).toBe('403');
});

test('a broken-off upload leaves no object', async () => {
  await using account = await testAccount();
  const { file } = await account.ingest('a.mov', account.seeded.cloud.filesId);
  const broken = new Promise<void>((resolve) => {
    const request = httpRequest(String(file.upload_url), { method: 'PUT', headers: { 'content-length': '1000' } });
    request.on('error', () => resolve());
    request.write('half', () => request.destroy());
    request.on('close', () => resolve());
  });
  await broken;
  expect((await put(String(file.upload_url), bytesOf(10, 1))).status).toBe(200);
  expect(account.standIn.objects()).toMatchObject([{ sizeBytes: 10, writes: 1 }]);
});

async function gcsSession(account: TestAccount) {
  const { assetId } = await account.ingest('a.mov');
  const proxy = (await account.call('POST', `files/v1/assets/${assetId}/proxies/`, { filename: 'p.mp4', name: 'p' }))
    .body;
  const url = String(proxy.upload_url);
  const started = await fetch(url, { method: 'POST', headers: { 'x-goog-resumable': 'start' } });
  return { url, proxyId: String(proxy.id), status: started.status, session: String(started.headers.get('location')) };
}

test('a GCS resumable upload goes chunk by chunk and tells how far it is', async () => {
  await using account = await testAccount();
  const { proxyId, session, status } = await gcsSession(account);
  expect(status).toBe(201);
  const body = bytesOf(512 * 1024 + 5, 3);
  const ask = async () => put(session, new Uint8Array(), { 'content-range': `bytes */${body.length}` });
  expect([(await ask()).status, (await ask()).headers.get('range')]).toEqual([308, null]);
  const first = await put(session, body.subarray(0, 512 * 1024), { 'content-range': 'bytes 0-524287/*' });
  expect([first.status, first.headers.get('range')]).toEqual([308, 'bytes=0-524287']);
  expect((await ask()).headers.get('range')).toBe('bytes=0-524287');
  const last = await put(session, body.subarray(512 * 1024), {
    'content-range': `bytes 524288-${body.length - 1}/${body.length}`,
  });
  expect(last.status).toBe(200);
  expect((await ask()).status).toBe(200);
  const object = account.standIn.object(account.standIn.objectKey(proxyId) ?? '');
  expect(object).toMatchObject({ sizeBytes: body.length, md5: md5(body), writes: 1 });
});

test('GCS takes a whole object in one PUT of its session', async () => {
  await using account = await testAccount();
  const { session, proxyId } = await gcsSession(account);
  expect((await put(session, bytesOf(999, 4))).status).toBe(200);
  expect(account.standIn.object(account.standIn.objectKey(proxyId) ?? '')).toMatchObject({ sizeBytes: 999 });
});

test('GCS refuses a start without its header, odd chunks, gaps and unknown sessions', async () => {
  await using account = await testAccount();
  const { url, session } = await gcsSession(account);
  expect((await fetch(url, { method: 'POST' })).status).toBe(400);
  expect((await put(url, bytesOf(1, 1))).status).toBe(403);
  expect((await put(session, bytesOf(1000, 1), { 'content-range': 'bytes 0-999/5000' })).status).toBe(400);
  expect((await put(session, bytesOf(1000, 1), { 'content-range': 'bytes 4000-4999/5000' })).status).toBe(400);
  expect((await put(session, bytesOf(1000, 1), { 'content-range': 'bytes 0-5/5000' })).status).toBe(400);
  expect((await put(`${session}x`, bytesOf(1, 1))).status).toBe(404);
});

test('a keyframe takes one PUT, or a session when a resumable upload was asked for', async () => {
  await using account = await testAccount();
  const { assetId } = await account.ingest('a.mov');
  const at = `files/v1/assets/${assetId}/keyframes/`;
  const body = { filename: 'k.jpg', type: 'POSTER' };
  const simple = (await account.call('POST', at, body)).body;
  expect((await put(String(simple.upload_url), bytesOf(10, 1))).status).toBe(200);
  const resumable = (await account.call('POST', `${at}?use_google_resumable_upload=true`, body)).body;
  expect((await put(String(resumable.upload_url), bytesOf(10, 1))).status).toBe(403);
  expect([simple.upload_method, resumable.upload_method]).toEqual(['PUT', 'POST']);
});

test('object faults strike only when told to: 503 before, drop after the bytes are kept', async () => {
  await using account = await testAccount();
  const { file } = await account.ingest('a.mov', account.seeded.cloud.filesId);
  const url = String(file.upload_url);
  account.standIn.setFaults({ status: { rate: 1, code: 503 } });
  expect((await put(url, bytesOf(1, 1))).status).toBe(200);
  account.standIn.setFaults({ status: { rate: 1, code: 503 }, objectStore: true });
  expect((await put(url, bytesOf(2, 1))).status).toBe(503);
  account.standIn.setFaults({ dropAfterCommit: { rate: 1 }, objectStore: true });
  await expect(put(url, bytesOf(3, 1))).rejects.toThrow();
  expect(account.standIn.objects()).toMatchObject([{ sizeBytes: 3, writes: 2 }]);
});

test('a chunk that breaks off is kept up to a multiple of 256 KiB, and the upload goes on from there', async () => {
  await using account = await testAccount();
  const { session, proxyId } = await gcsSession(account);
  const body = bytesOf(768 * 1024, 5);
  const headers = {
    'content-range': `bytes 0-${body.length - 1}/${body.length}`,
    'content-length': String(body.length),
  };
  await new Promise<void>((resolve) => {
    const request = httpRequest(session, { method: 'PUT', headers });
    request.on('error', () => undefined);
    request.on('close', () => resolve());
    request.write(body.subarray(0, 600 * 1024), () => request.destroy());
  });
  const ask = async () =>
    (await put(session, new Uint8Array(), { 'content-range': `bytes */${body.length}` })).headers.get('range');
  await expect.poll(ask).toMatch(/^bytes=0-/);
  const keptBytes = Number((await ask())?.slice('bytes=0-'.length)) + 1;
  expect(keptBytes % (256 * 1024)).toBe(0);
  const rest = await put(session, body.subarray(keptBytes), {
    'content-range': `bytes ${keptBytes}-${body.length - 1}/${body.length}`,
  });
  expect(rest.status).toBe(200);
  expect(account.standIn.object(account.standIn.objectKey(proxyId) ?? '')).toMatchObject({ md5: md5(body) });
});
