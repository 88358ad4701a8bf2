import { expect, test } from 'vitest';
import { testAccount } from './account.ts';

test('an unknown property is answered 400 in the field shape and recorded', async () => {
  await using account = await testAccount();
  const reply = await account.call('POST', 'assets/v1/assets/', { title: 'x', mood: 'blue' });
  expect(reply.status).toBe(400);
  expect(reply.body).toEqual({ errors: { mood: 'unknown property' } });
  expect(account.standIn.state()).toMatchObject({
    assets: [],
    violations: [{ path: '/API/assets/v1/assets/', faults: [{ field: 'mood' }] }],
  });
});

test.each([
  ['a read-only property', 'POST', 'assets/v1/assets/', { title: 'x', id: crypto.randomUUID() }, 'id'],
  ['a missing property', 'POST', 'assets/v1/assets/', { category: 'x' }, 'title'],
  ['a wrong enumeration value', 'POST', 'assets/v1/assets/', { title: 'x', status: 'SLEEPING' }, 'status'],
  ['a wrong type', 'POST', 'assets/v1/assets/', { title: 7 }, 'title'],
  ['null where null is not published', 'POST', 'assets/v1/assets/', { title: 'x', status: null }, 'status'],
  ['an unknown query parameter', 'GET', 'assets/v1/assets/?title=x', undefined, 'title'],
  ['a query value of the wrong type', 'GET', 'assets/v1/assets/?page=first', undefined, 'page'],
  ['a page below the published minimum', 'GET', 'assets/v1/assets/?page=0', undefined, 'page'],
  ['more than the published maximum a page', 'GET', 'files/v1/storages/?per_page=101', undefined, 'per_page'],
])('%s is a violation', async (_what, method, path, body, field) => {
  await using account = await testAccount();
  expect((await account.call(method, path, body)).status).toBe(400);
  const [violation, ...others] = account.standIn.state().violations;
  expect(others).toEqual([]);
  expect(new Set(violation?.faults.map((fault) => fault.field))).toEqual(new Set([field]));
});

test('nested properties are checked', async () => {
  await using account = await testAccount();
  const { assetId } = await account.ingest('a.mov');
  const components = [{ name: 'v', type: 'VIDEO', colour: 'red' }];
  await account.call('POST', `files/v1/assets/${assetId}/formats/`, { name: 'PROXY', components });
  expect(account.standIn.state().violations).toMatchObject([{ faults: [{ field: 'components.0.colour' }] }]);
});

test('settings of a FILE storage are checked against the reference', async () => {
  await using account = await testAccount();
  const path = `files/v1/storages/${account.storageId}/`;
  expect((await account.call('PATCH', path, { settings: { mount_point: '/m', scan_often: true } })).body).toEqual({
    errors: { 'settings.scan_often': 'unknown property' },
  });
  expect((await account.call('PATCH', path, { settings: { scan: true } })).status).toBe(400);
  expect((await account.call('PATCH', path, { settings: { mount_point: '/m', scan: true } })).status).toBe(200);
});

test('what the reference names beyond the file is accepted', async () => {
  await using account = await testAccount();
  const { assetId } = await account.ingest('a.mov');
  expect(
    (await account.call('POST', `files/v1/assets/${assetId}/proxies/`, { name: 'p', audio_channels: 2 })).status,
  ).toBe(201);
  expect(
    (await account.call('PUT', `files/v1/storages/${account.storageId}/gateway/report/`, { status: 'WARNING' })).status,
  ).toBe(200);
  expect(account.standIn.state().violations).toEqual([]);
});

test('limits of counts and lengths are checked', async () => {
  await using account = await testAccount();
  const path = `files/v1/storages/${account.storageId}/gateway/`;
  expect((await account.call('POST', `${path}events/purge/`, { event_ids: [] })).status).toBe(400);
  expect(
    (await account.call('PUT', `${path}report/`, { log_lines: Array.from({ length: 51 }, () => 'x') })).status,
  ).toBe(400);
});

test('a call that is not published is 404 and a violation, one without a handler is 501', async () => {
  await using account = await testAccount();
  expect((await account.call('GET', 'assets/v1/assets')).status).toBe(404);
  expect((await account.call('GET', 'files/v1/export_locations/')).status).toBe(501);
  expect(account.standIn.state().violations).toHaveLength(1);
});

test('a body that is not JSON is 400 in the list shape', async () => {
  await using account = await testAccount();
  const reply = await account.call('POST', 'assets/v1/assets/', { title: 'x' }, { 'content-type': 'text/plain' });
  expect(reply).toMatchObject({ status: 400, body: { errors: ['the body must be application/json'] } });
});

test.each([{ 'app-id': 'other' }, { 'auth-token': 'other' }, { 'auth-token': '' }])(
  '%o is answered 401',
  async (headers) => {
    await using account = await testAccount();
    const reply = await account.call('GET', 'users/v1/users/current/', undefined, headers);
    expect(reply).toMatchObject({ status: 401, body: { errors: [expect.any(String)] } });
    expect(account.standIn.state().violations).toEqual([]);
  },
);

test('every answer names the rest of the budget', async () => {
  await using account = await testAccount();
  const first = await account.call('GET', 'users/v1/users/current/');
  const second = await account.call('GET', 'users/v1/users/current/');
  expect(Number(first.headers.get('ratelimit-remaining')) - Number(second.headers.get('ratelimit-remaining'))).toBe(1);
});
