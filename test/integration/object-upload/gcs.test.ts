import { describe, expect, it } from 'vitest';
import { coerceError } from '../../../agent/runtime/errors.ts';
import type { SendRange } from '../../../agent/storage/storage-access.ts';
import { type CloudUpload, useCloud } from './cloud-fixture.ts';

/** GCS has no least size of a component. */
const PART_BYTES = 100_000;
/** Two whole parts and a rest. */
const SIZE = 2 * PART_BYTES + 4_321;

const onGcs = useCloud('GCS');

async function cloudUpload(partSizeBytes = PART_BYTES): Promise<CloudUpload> {
  const cloud = await onGcs({ partSizeBytes });
  await cloud.useFile(SIZE);
  return cloud;
}

const isPart = ({ url }: SendRange) => new URL(url).searchParams.get('operation') === 'gcs-part';
const partsSent = ({ sent }: CloudUpload) =>
  sent
    .filter(isPart)
    .map(({ url }) => Number(/_part_(\d+)/.exec(url)?.[1]))
    .sort((a, b) => a - b);
/** Everything that lies in the cloud for this upload. */
const keysOf = ({ standIn, record }: CloudUpload) =>
  standIn
    .objects()
    .map(({ key }) => key)
    .filter((key) => key.startsWith(record.key))
    .sort();
const composeOnce = { methods: ['PUT'], pathIncludes: 'clip%201.mov', times: 1 };
const bucketKey = (key: string, number: number) => `${key}_part_${number}`;

/** What a finished upload leaves: the object, nothing else, and no call that iconik does not have. */
function expectWhole(cloud: CloudUpload): void {
  expect(cloud.isStored()).toBe(true);
  expect(keysOf(cloud)).toEqual([cloud.record.key]);
  expect(cloud.standIn.state().violations).toEqual([]);
}

describe('a large file to GCS', () => {
  it('goes in components, each byte once, that are composed and then removed', async () => {
    const cloud = await cloudUpload();
    const progress: number[] = [];
    await cloud.upload({ onProgress: (bytes) => progress.push(bytes) });
    expectWhole(cloud);
    expect(partsSent(cloud)).toEqual([1, 2, 3]);
    expect(progress.at(-1)).toBe(SIZE);
  });

  it('of more components than one request takes is composed of groups', async () => {
    const cloud = await cloudUpload(1_000);
    await cloud.useFile(70_001);
    await cloud.upload();
    expectWhole(cloud);
    expect(partsSent(cloud)).toHaveLength(71);
  });

  it('does not appear before its lease is confirmed', async () => {
    const cloud = await cloudUpload();
    const lost = new Error('lease lost');
    await expect(cloud.upload({ confirmLease: () => Promise.reject(lost) })).rejects.toBe(lost);
    expect(cloud.isStored()).toBe(false);
    expect(cloud.sent).toHaveLength(3);
  });

  it('gets other URLs when they have run out, and goes on', async () => {
    const cloud = await cloudUpload();
    cloud.expireAtSecondSend();
    await cloud.upload();
    expectWhole(cloud);
  });

  it('is not made of other bytes: a component with another MD5 is not taken', async () => {
    const cloud = await cloudUpload();
    cloud.intercept = (send, pass) =>
      pass(send.offsetBytes > 0 ? { ...send, offsetBytes: send.offsetBytes - 1 } : send);
    const error = await cloud.upload().then(() => null, coerceError);
    expect(error).toMatchObject({ code: 'upload-refused', retry: 'transient' });
    expect(cloud.isStored()).toBe(false);
  });
});

describe('a parallel upload to GCS that was stopped', () => {
  it('sends only what the store does not hold', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(2);
    const { parts } = cloud.checkpoint as { parts: { number: number }[] };
    expect(parts.length).toBeGreaterThan(0);
    cloud.sent.length = 0;
    await cloud.upload();
    expectWhole(cloud);
    expect(partsSent(cloud).length).toBeLessThanOrEqual(3 - parts.length);
    for (const { number } of parts) expect(partsSent(cloud)).not.toContain(number);
  });

  it('finds components that its checkpoint has not heard of, and does not send them again', async () => {
    const cloud = await cloudUpload();
    await cloud
      .upload({ confirmLease: () => Promise.reject(new Error('killed before the end')) })
      .catch(() => undefined);
    const forgetful = cloud.checkpoint as { parts: { number: number }[] };
    forgetful.parts = forgetful.parts.filter(({ number }) => number !== 2);
    cloud.sent.length = 0;
    await cloud.upload();
    expectWhole(cloud);
    expect(cloud.sent).toEqual([]);
  });

  it('sends again what the store has lost, and nothing else', async () => {
    const cloud = await cloudUpload();
    await cloud
      .upload({ confirmLease: () => Promise.reject(new Error('killed before the end')) })
      .catch(() => undefined);
    const [place] = await cloud.api.files.gcsPartUrls(cloud.record.assetId, cloud.record.fileId, { partsNum: 1 });
    await fetch(place?.deleteUrl ?? '', { method: 'DELETE' });
    cloud.sent.length = 0;
    await cloud.upload();
    expectWhole(cloud);
    expect(partsSent(cloud)).toEqual([1]);
  });

  it('is not composed of a component that somebody else has written since', async () => {
    const cloud = await cloudUpload();
    await cloud
      .upload({ confirmLease: () => Promise.reject(new Error('killed before the end')) })
      .catch(() => undefined);
    const [place] = await cloud.api.files.gcsPartUrls(cloud.record.assetId, cloud.record.fileId, { partsNum: 1 });
    const { url } = place ?? { url: '' };
    expect((await fetch(url, { method: 'PUT', body: Buffer.alloc(PART_BYTES, 'x') })).status).toBe(200);
    await cloud.upload();
    expectWhole(cloud);
    // Not even for a moment was there an object of other bytes.
    expect(cloud.standIn.object(cloud.record.key)?.writes).toBe(1);
  });

  it('after its end only tidies up', async () => {
    const cloud = await cloudUpload();
    const stop = new AbortController();
    const killed = new Error('killed');
    await cloud
      .upload({
        signal: stop.signal,
        saveCheckpoint: async (value) => {
          cloud.checkpoint = JSON.parse(JSON.stringify(value));
          if ((value as { isComposed: boolean }).isComposed) stop.abort(killed);
        },
      })
      .catch((thrown: unknown) => expect(thrown).toBe(killed));
    expect(keysOf(cloud)).toHaveLength(4);
    cloud.sent.length = 0;
    await cloud.upload({ confirmLease: () => Promise.reject(new Error('not needed')) });
    expectWhole(cloud);
    expect(cloud.standIn.object(cloud.record.key)?.writes).toBe(1);
    expect(cloud.sent).toEqual([]);
  });

  it('never mixes the components of two contents, and removes the former ones', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(2);
    await cloud.useFile(SIZE);
    await cloud.upload();
    expectWhole(cloud);
    expect(partsSent(cloud).slice(-3)).toHaveLength(3);
  });

  it('leaves nothing when nobody goes on with it', async () => {
    const cloud = await cloudUpload();
    await cloud.uploadUntil(2);
    expect(keysOf(cloud).length).toBeGreaterThan(0);
    const { checkpoint, record } = cloud;
    const abandoned = { assetId: record.assetId, checkpoint, signal: new AbortController().signal };
    await cloud.uploadObject.abandon(abandoned);
    await cloud.uploadObject.abandon(abandoned);
    expect(keysOf(cloud)).toEqual([]);
  });
});

describe('when the answer to composing is lost', () => {
  it('it is asked for again and the object is the same', async () => {
    const cloud = await cloudUpload();
    await cloud.upload({
      confirmLease: async () => {
        const { standIn } = cloud;
        standIn.setFaults({ dropAfterCommit: { rate: 1 }, objectStore: true, only: composeOnce, seed: 1 });
      },
    });
    expectWhole(cloud);
    expect(cloud.sent).toHaveLength(3);
    expect(cloud.standIn.object(cloud.record.key)?.writes).toBe(2);
  });
});

describe('where iconik or the store offers no parallel uploads', () => {
  const refusals = [
    ['part URLs', { methods: ['GET'], pathIncludes: '/multipart_url/part/' }],
    ['compose URLs', { methods: ['POST'], pathIncludes: '/gcs/compose_url/' }],
  ] as const;
  it.each(refusals)('the file goes through a session: no %s', async (_what, only) => {
    const cloud = await cloudUpload();
    cloud.standIn.setFaults({
      status: { rate: 1, code: 400 },
      only: { methods: [...only.methods], pathIncludes: only.pathIncludes },
      seed: 1,
    });
    await cloud.upload();
    expect(cloud.sent.filter(isPart)).toEqual([]);
    cloud.standIn.setFaults({});
    expectWhole(cloud);
  });

  it('the components that were sent are removed, and the next file is not tried so again', async () => {
    const cloud = await cloudUpload();
    const refused = { status: 403, headers: {}, body: '<Error><Code>SignatureDoesNotMatch</Code></Error>' };
    const number = bucketKey(cloud.record.key, 2).split('/').at(-1) ?? '';
    cloud.intercept = async (send, pass) =>
      decodeURIComponent(send.url).includes(number) ? refused : await pass(send);
    await cloud.upload();
    expectWhole(cloud);
    const partsBefore = partsSent(cloud).length;
    cloud.checkpoint = undefined;
    await cloud.useFile(SIZE);
    await cloud.upload();
    expectWhole(cloud);
    expect(partsSent(cloud)).toHaveLength(partsBefore);
  });

  it('a session that an earlier attempt began goes on', async () => {
    const cloud = await cloudUpload();
    const { record, standIn } = cloud;
    standIn.setFaults({
      status: { rate: 1, code: 400 },
      only: { methods: ['POST'], pathIncludes: '/gcs/compose_url/' },
      seed: 1,
    });
    await cloud.upload({ confirmLease: () => Promise.reject(new Error('killed')) }).catch(() => undefined);
    expect(cloud.checkpoint).toMatchObject({ method: 'gcs-resumable' });
    standIn.setFaults({});
    await cloud.upload({ multipart: record });
    expectWhole(cloud);
    expect(cloud.sent.filter(isPart)).toEqual([]);
  });
});

describe('what the stand-in refuses of a compose request', () => {
  const compose = async (cloud: CloudUpload, components: string, contentType = 'video/quicktime') => {
    const ask = { group: null, contentType: 'video/quicktime' };
    const { composeUrl } = await cloud.api.files.gcsComposeUrl(cloud.record.assetId, cloud.record.fileId, ask);
    const body = `<ComposeRequest>${components}</ComposeRequest>`;
    return (await fetch(composeUrl, { method: 'PUT', headers: { 'content-type': contentType }, body })).status;
  };

  it('is what GCS refuses: missing components, other generations, too many, another content type', async () => {
    const cloud = await cloudUpload();
    const [place] = await cloud.api.files.gcsPartUrls(cloud.record.assetId, cloud.record.fileId, { partsNum: 1 });
    const { url, key } = place ?? { url: '', key: '' };
    const named = (more = '') => `<Component><Name>${key}</Name>${more}</Component>`;
    expect(await compose(cloud, named())).toBe(404);
    const headers = { 'content-type': 'video/quicktime' };
    expect((await fetch(url, { method: 'PUT', headers, body: Buffer.from('abc') })).status).toBe(403);
    expect((await fetch(url, { method: 'PUT', body: Buffer.from('abc') })).status).toBe(200);
    expect(await compose(cloud, named('<Generation>1</Generation>'))).toBe(404);
    expect(await compose(cloud, named('<IfGenerationMatch>1</IfGenerationMatch>'))).toBe(412);
    expect(await compose(cloud, '')).toBe(400);
    expect(await compose(cloud, named().repeat(33))).toBe(400);
    expect(await compose(cloud, named(), 'text/plain')).toBe(403);
    expect(await compose(cloud, named().repeat(32))).toBe(200);
    expect(cloud.standIn.object(cloud.record.key)).toMatchObject({ sizeBytes: 96 });
  });
});
