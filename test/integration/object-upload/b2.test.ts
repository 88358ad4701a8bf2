import { describe, expect, it } from 'vitest';
import { coerceError } from '../../../agent/runtime/errors.ts';
import { type CloudUpload, SIZE, URL_LIFETIME_MS, useCloud } from './cloud-fixture.ts';

const cloudUpload = useCloud('B2');

const violations = ({ standIn }: CloudUpload) => standIn.state().violations;
const partsOf = ({ sent }: CloudUpload) =>
  sent.map((one) => Number(one.headers['x-bz-part-number'])).sort((a, b) => a - b);

describe('a small file on B2', () => {
  it('goes in one POST with the token of its URL, its name and its SHA-1', async () => {
    const cloud = await cloudUpload();
    await cloud.useFile(1_000);
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
    expect(cloud.sent).toHaveLength(1);
    expect(cloud.sent[0]).toMatchObject({
      method: 'POST',
      headers: { 'x-bz-file-name': expect.stringMatching(/^dir%20%C3%A9\/.*\/clip%201\.mov$/) },
    });
    expect(violations(cloud)).toEqual([]);
  });

  it('may be empty', async () => {
    const cloud = await cloudUpload();
    await cloud.useFile(0);
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
  });

  it('gets another upload URL when its token has run out', async () => {
    const cloud = await cloudUpload();
    await cloud.useFile(1_000);
    const target = await cloud.target();
    cloud.clock.aheadMs += 2 * URL_LIFETIME_MS;
    await cloud.upload({ target });
    expect(cloud.isStored()).toBe(true);
    expect(new Set(cloud.sent.map((one) => one.url)).size).toBe(2);
  });

  it('gets another upload URL when the server behind the first is full', async () => {
    const cloud = await cloudUpload();
    await cloud.useFile(1_000);
    const full = { status: 503, headers: {}, body: '{"status":503,"code":"service_unavailable","message":"full"}' };
    cloud.intercept = async (send, pass) => (cloud.sent.length === 1 ? full : await pass(send));
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
    expect(new Set(cloud.sent.map((one) => one.url)).size).toBe(2);
  });

  it('of which other bytes arrived is not taken', async () => {
    const cloud = await cloudUpload();
    await cloud.useFile(1_000);
    cloud.intercept = (send, pass) => pass({ ...send, offsetBytes: 1, lengthBytes: 999 });
    await expect(cloud.upload()).rejects.toMatchObject({ code: 'upload-refused' });
    expect(cloud.isStored()).toBe(false);
  });
});

describe('a large file on B2', () => {
  it('goes in parts, each byte once, by one upload URL per sender', async () => {
    const cloud = await cloudUpload();
    const progress: number[] = [];
    await cloud.upload({ onProgress: (bytes) => progress.push(bytes) });
    expect(cloud.isStored()).toBe(true);
    expect(partsOf(cloud)).toEqual([1, 2, 3]);
    expect(new Set(cloud.sent.map((one) => one.url)).size).toBe(3);
    expect(progress.at(-1)).toBe(SIZE);
    expect(violations(cloud)).toEqual([]);
  });

  it('goes on where its checkpoint stands', async () => {
    const cloud = await cloudUpload();
    await cloud
      .upload({
        confirmLease: () => Promise.reject(new Error('killed before the end')),
      })
      .catch(() => undefined);
    expect(cloud.isStored()).toBe(false);
    cloud.sent.length = 0;
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
    expect(cloud.sent).toEqual([]);
  });

  it('remembers, when it is stopped, which parts B2 has confirmed', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(2);
    const { parts } = cloud.checkpoint as { parts: unknown[] };
    expect(parts.length).toBeGreaterThan(0);
    cloud.sent.length = 0;
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
    expect(cloud.sent).toHaveLength(3 - parts.length);
  });

  it('takes a part that is sent twice', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(2);
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
    expect(cloud.standIn.object(cloud.record.key)?.writes).toBe(1);
  });

  it('gets another upload URL when a token has run out, and goes on', async () => {
    const cloud = await cloudUpload();
    cloud.expireAtSecondSend();
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
  });

  it('begins anew when B2 has dropped it', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(2);
    const { uploadFileId } = cloud.checkpoint as { uploadFileId: string };
    await cloud.api.files.cancelB2(cloud.record.assetId, cloud.record.fileId, uploadFileId);
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
  });

  it('is dropped and begun anew when B2 does not finish it', async () => {
    const cloud = await cloudUpload();
    const only = { methods: ['POST'], pathIncludes: '/b2/finish/', times: 1 };
    cloud.standIn.setFaults({ status: { rate: 1, code: 400 }, only, seed: 1 });
    const begun = new Set<string>();
    await cloud.upload({
      saveCheckpoint: async (value) => {
        begun.add((value as { uploadFileId: string }).uploadFileId);
      },
    });
    expect(cloud.isStored()).toBe(true);
    expect(begun.size).toBe(2);
    expect(await isDropped(cloud, [...begun][0] ?? '')).toBe(true);
  });

  it('never mixes the parts of two contents, and drops the former ones', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(2);
    const former = cloud.checkpoint as { uploadFileId: string };
    await cloud.useFile(SIZE);
    await cloud.upload();
    expect(cloud.isStored()).toBe(true);
    expect(await isDropped(cloud, former.uploadFileId)).toBe(true);
  });

  it('is not made of other bytes: a part without its SHA-1 is refused', async () => {
    const cloud = await cloudUpload();
    cloud.intercept = (send, pass) =>
      pass(send.headers['x-bz-part-number'] === '2' ? { ...send, offsetBytes: send.offsetBytes + 1 } : send);
    const error = await cloud.upload().then(() => null, coerceError);
    expect(error).toMatchObject({ code: 'upload-refused', fields: { storeCode: 'bad_request' } });
    expect(cloud.isStored()).toBe(false);
  });

  it('counts as done when the answer to its end was lost and the object has its id', async () => {
    const cloud = await cloudUpload();
    const { assetId, fileId } = cloud.record;
    const only = { methods: ['POST'], pathIncludes: '/b2/finish/' };
    cloud.standIn.setFaults({ dropAfterCommit: { rate: 1 }, only: { ...only, times: 1 }, seed: 1 });
    // iconik shows where a closed file can be read; a user may close it as well as we.
    await cloud.upload({
      confirmLease: () => cloud.api.files.patchFile(assetId, fileId, { status: 'CLOSED' }),
    });
    expect(cloud.isStored()).toBe(true);
    expect(cloud.sent).toHaveLength(3);
  });
});

/** Whether B2 takes no more parts of a large file. */
async function isDropped({ api, record }: CloudUpload, uploadFileId: string): Promise<boolean> {
  const ask = api.files.startB2(record.assetId, record.fileId, { uploadFileId });
  return (await ask.then(() => null, coerceError))?.code === 'iconik-rejected';
}

describe('an upload to B2 that nobody goes on with', () => {
  it('is cancelled, and cancelling it twice is no trouble', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(1);
    const { uploadFileId } = cloud.checkpoint as { uploadFileId: string };
    expect(await isDropped(cloud, uploadFileId)).toBe(false);
    const { assetId } = cloud.record;
    const abandoned = { assetId, checkpoint: cloud.checkpoint, signal: new AbortController().signal };
    await cloud.uploadObject.abandon(abandoned);
    await cloud.uploadObject.abandon(abandoned);
    expect(await isDropped(cloud, uploadFileId)).toBe(true);
  });
});
