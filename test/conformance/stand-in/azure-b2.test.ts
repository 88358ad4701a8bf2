import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { StandInOptions } from '../../stand-in/stand-in.ts';
import { seedAccount } from '../../stand-in/stand-in.ts';
import { type TestAccount, testAccount } from './account.ts';

/** What Azure and B2 refuse, the stand-in refuses: each rule by the smallest request that breaks it. */

const VERSION = { 'x-ms-version': '2020-10-02' };
const WEEK_MS = 7 * 24 * 3_600_000;
const md5 = (text: string): string => createHash('md5').update(text).digest('base64');
const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex');
const codeOf = async (answer: Response): Promise<string> => {
  const text = await answer.text();
  return `${answer.status} ${/<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? (text.startsWith('{') ? JSON.parse(text).code : '')}`;
};

/** A file on a cloud storage of this kind, beside those of the account. */
async function fileOn(method: 'AZURE' | 'B2', options: Partial<StandInOptions> = {}, cloudSettings = {}) {
  const account = await testAccount(options);
  const { cloud } = seedAccount(account.standIn, {
    storages: [],
    gateways: [],
    cloud: { files: method },
    cloudSettings,
  });
  const { file, assetId, fileId } = await account.ingest('clip.mov', cloud.filesId);
  return { account, file, at: `files/v1/assets/${assetId}/files/${fileId}`, fileId, assetId };
}

describe('Azure', () => {
  const send = (url: string, body: string, headers: Record<string, string> = {}) =>
    fetch(url, { method: 'PUT', body, headers: { ...VERSION, ...headers } });
  const blockUrl = (url: string, id: string) => `${url}&comp=block&blockid=${encodeURIComponent(btoa(id))}`;
  const list = (ids: string[], kind = 'Latest') =>
    `<?xml version="1.0"?><BlockList>${ids.map((id) => `<${kind}>${btoa(id)}</${kind}>`).join('')}</BlockList>`;

  test('takes a blob only as a block blob, with the right MD5, at a known version', async () => {
    const { account, file } = await fileOn('AZURE');
    await using _ = account;
    const url = String(file.upload_url);
    const block = { 'x-ms-blob-type': 'BlockBlob' };
    expect(await codeOf(await send(url, 'x'))).toBe('400 MissingRequiredHeader');
    expect(await codeOf(await send(url, 'x', { 'x-ms-blob-type': 'PageBlob' }))).toBe('400 InvalidHeaderValue');
    expect(await codeOf(await send(url, 'x', { ...block, 'x-ms-version': 'new' }))).toBe('400 InvalidHeaderValue');
    expect(await codeOf(await send(url, 'x', { ...block, 'content-md5': md5('y') }))).toBe('400 Md5Mismatch');
    expect(await codeOf(await send(url, 'x', { ...block, 'content-md5': 'AA==' }))).toBe('400 InvalidMd5');
    expect(account.standIn.objects()).toEqual([]);
    expect((await send(url, 'x', { ...block, 'content-md5': md5('x') })).status).toBe(201);
    expect(account.standIn.objects()).toHaveLength(1);
  });

  test('makes a blob of blocks in the order of the list, not of their arrival, and of committed ones again', async () => {
    const { account, file, fileId } = await fileOn('AZURE');
    await using _ = account;
    const url = String(file.upload_url);
    for (const id of ['b', 'a', 'c']) expect((await send(blockUrl(url, id), `<${id}>`)).status).toBe(201);
    const commit = (ids: string[], kind?: string) => send(`${url}&comp=blocklist`, list(ids, kind));
    expect(await codeOf(await commit(['a', 'x']))).toBe('400 InvalidBlockList');
    expect((await commit(['a', 'b'])).status).toBe(201);
    const object = account.standIn.object(account.standIn.objectKey(fileId) ?? '');
    expect(object?.md5).toBe(createHash('md5').update('<a><b>').digest('hex'));
    expect(await codeOf(await commit(['a', 'c'])), 'what the list left out is dropped').toBe('400 InvalidBlockList');
    expect(await codeOf(await commit(['a'], 'Uncommitted'))).toBe('400 InvalidBlockList');
    expect((await commit(['b', 'a'])).status).toBe(201);
  });

  test('refuses ids of another length, no base64 and none, and forgets blocks after a week', async () => {
    let aheadMs = 0;
    const { account, file } = await fileOn('AZURE', { nowMs: () => Date.now() + aheadMs, urlLifetimeMs: 2 * WEEK_MS });
    await using _ = account;
    const url = String(file.upload_url);
    await send(blockUrl(url, 'aa'), 'x');
    expect(await codeOf(await send(blockUrl(url, 'aaa'), 'x'))).toBe('400 InvalidBlobOrBlock');
    expect(await codeOf(await send(`${url}&comp=block&blockid=%21`, 'x'))).toBe('400 InvalidQueryParameterValue');
    expect(await codeOf(await send(`${url}&comp=block`, 'x'))).toBe('400 MissingRequiredQueryParameter');
    aheadMs = WEEK_MS + 1_000;
    expect(await codeOf(await send(`${url}&comp=blocklist`, list(['aa'])))).toBe('400 InvalidBlockList');
  });

  test('shows the blocks to a signature for reading only, and nothing to one that has run out', async () => {
    let aheadMs = 0;
    const writing = await fileOn('AZURE', { nowMs: () => Date.now() + aheadMs });
    await using _ = writing.account;
    const asked = (url: unknown) =>
      fetch(`${String(url)}&comp=blocklist&blocklisttype=uncommitted`, { headers: VERSION });
    expect(await codeOf(await asked(writing.file.upload_url))).toBe('403 AuthorizationPermissionMismatch');
    aheadMs = 2 * 3_600_000;
    expect((await send(blockUrl(String(writing.file.upload_url), 'a'), 'x')).status).toBe(403);
    const reading = await fileOn('AZURE', {}, { sas_may_read: true });
    await using __ = reading.account;
    expect(await codeOf(await asked(reading.file.upload_url))).toBe('404 BlobNotFound');
    await send(blockUrl(String(reading.file.upload_url), 'a'), 'xyz');
    expect(await (await asked(reading.file.upload_url)).text()).toContain(`<Name>${btoa('a')}</Name><Size>3</Size>`);
  });
});

describe('B2', () => {
  const post = (url: unknown, token: unknown, body: string, headers: Record<string, string> = {}) =>
    fetch(String(url), {
      method: 'POST',
      body,
      headers: { authorization: String(token), 'x-bz-content-sha1': sha1(body), ...headers },
    });
  const started = async (account: TestAccount, at: string, body: object = {}) =>
    (await account.call('POST', `${at}/multipart/b2/start/`, body)).body;

  test('takes a file with the token of its URL, its name and its SHA-1 only', async () => {
    const { account, file } = await fileOn('B2');
    await using _ = account;
    const { authorizationToken: token } = file.upload_credentials as { authorizationToken: string };
    const name = { 'x-bz-file-name': String(file.upload_filename), 'content-type': 'b2/x-auto' };
    expect(await codeOf(await post(file.upload_url, 'another', 'x', name))).toBe('401 bad_auth_token');
    expect(await codeOf(await post(file.upload_url, token, 'x', { ...name, 'x-bz-file-name': 'y' }))).toBe(
      '401 unauthorized',
    );
    expect(await codeOf(await post(file.upload_url, token, 'x', { ...name, 'x-bz-content-sha1': sha1('y') }))).toBe(
      '400 bad_request',
    );
    expect(account.standIn.objects()).toEqual([]);
    const taken = await post(file.upload_url, token, 'x', name);
    expect(await taken.json()).toMatchObject({ contentLength: 1, contentSha1: sha1('x') });
  });

  test('takes parts 1 to 10,000 of a large file that is neither finished nor cancelled', async () => {
    const { account, at } = await fileOn('B2');
    await using _ = account;
    const { upload_file_id: id, upload_url: url, authorization_token: token } = await started(account, at);
    for (const number of ['0', '10001', 'x', '1.5']) {
      expect(await codeOf(await post(url, token, 'x', { 'x-bz-part-number': number }))).toBe('400 bad_request');
    }
    expect((await post(url, token, 'x', { 'x-bz-part-number': '1' })).status).toBe(200);
    expect((await account.call('POST', `${at}/multipart/b2/cancel/`, { upload_file_id: id })).status).toBe(200);
    const late = await post(url, token, 'x', { 'x-bz-part-number': '1' });
    expect(((await late.json()) as { message: string }).message).toContain('No active upload');
    expect((await account.call('POST', `${at}/multipart/b2/start/`, { upload_file_id: id })).status).toBe(400);
  });

  test('finishes a large file of two parts or more, without gaps, by their SHA-1s, small ones at the end only', async () => {
    const { account, at, fileId } = await fileOn('B2');
    await using _ = account;
    const { upload_file_id: id, upload_url: url, authorization_token: token } = await started(account, at);
    const finish = async (...sha1s: string[]) => {
      const body = { upload_file_id: id, sha1_list: sha1s };
      return (await account.call('POST', `${at}/multipart/b2/finish/`, body)).status;
    };
    const part = (number: number, body: string) => post(url, token, body, { 'x-bz-part-number': String(number) });
    const large = 'a'.repeat(5_000_000);
    await part(1, 'small');
    expect(await finish(sha1('small')), 'one part').toBe(400);
    await part(3, 'end');
    expect(await finish(sha1('small'), sha1('end')), 'a gap').toBe(400);
    await part(2, large);
    expect(await finish(sha1('small'), sha1(large), sha1('end')), 'a small part before the last').toBe(400);
    await part(1, large);
    expect(await finish(sha1(large), sha1('end'), sha1(large)), 'another order').toBe(400);
    expect(await finish(sha1(large), sha1(large), sha1('end'))).toBe(200);
    expect(account.standIn.object(account.standIn.objectKey(fileId) ?? '')?.sizeBytes).toBe(10_000_003);
    expect(await finish(sha1(large), sha1(large), sha1('end')), 'a second time').toBe(400);
  });

  test('wants another upload URL when a token has run out', async () => {
    let aheadMs = 0;
    const { account, at } = await fileOn('B2', { nowMs: () => Date.now() + aheadMs });
    await using _ = account;
    const first = await started(account, at);
    aheadMs = 2 * 3_600_000;
    const number = { 'x-bz-part-number': '1' };
    const late = await post(first.upload_url, first.authorization_token, 'x', number);
    expect(await codeOf(late)).toBe('401 expired_auth_token');
    const next = await started(account, at, { upload_file_id: first.upload_file_id });
    expect(next.upload_url).not.toBe(first.upload_url);
    expect((await post(next.upload_url, next.authorization_token, 'x', number)).status).toBe(200);
  });
});
