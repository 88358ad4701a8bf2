import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createIconikApi, type IconikClient, type IconikClientOptions } from '../../../agent/iconik/iconik-client.ts';
import type { IconikHealth } from '../../../agent/iconik/iconik-health.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { type Handler, type LocalServer, sendJson, startLocalServer } from './local-server.ts';

const TOKEN = 'very-secret-token';
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function clientFor(baseUrl: string, options: Partial<IconikClientOptions> = {}): IconikClient {
  const client = createIconikApi({
    baseUrl,
    appId: 'app',
    authToken: TOKEN,
    clock: systemClock,
    // the shortest waits: these tests are not about jitter
    random: () => 0.01,
    log: silentLogger,
    requestsPerSecond: 1000,
    ...options,
  });
  closing.push(() => client.close());
  return client;
}

async function serve(
  handler: Handler,
  options: Partial<IconikClientOptions> = {},
): Promise<{ server: LocalServer; client: IconikClient }> {
  const server = await startLocalServer(handler);
  closing.push(() => server.close());
  return { server, client: clientFor(server.url, options) };
}

/** A server below HTTP: hands out raw sockets. */
async function serveSockets(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('requests', () => {
  test('carry the credentials, JSON and the trailing slash; 200 and 201 are both fine', async () => {
    const { server, client } = await serve((seen, response) =>
      sendJson(response, seen.method === 'GET' ? 201 : 200, { id: 'a' }),
    );
    await client.assets.create({ title: 'x' });
    await client.assets.get('a/b');
    expect(server.seen[0]).toMatchObject({
      method: 'POST',
      path: '/API/assets/v1/assets/',
      headers: { 'app-id': 'app', 'auth-token': TOKEN, 'content-type': 'application/json' },
      body: { title: 'x' },
    });
    expect(server.seen[1]?.path).toBe('/API/assets/v1/assets/a%2Fb/');
  });

  test('a read is tried again after a 503 and after a reset', async () => {
    let nth = 0;
    const { client } = await serve((_seen, response) => {
      nth++;
      if (nth === 1) sendJson(response, 503, { errors: ['busy'] });
      else if (nth === 2) response.destroy();
      else sendJson(response, 200, { id: 'user-1' });
    });
    expect(await client.users.currentId()).toBe('user-1');
  });

  test.each([
    ['a 500', (_seen, response) => sendJson(response, 500, { errors: ['x'] })],
    ['a reset', (_seen, response) => void response.destroy()],
    ['HTML instead of JSON', (_seen, response) => void response.writeHead(201).end('<html>hello</html>')],
  ] satisfies [string, Handler][])('a creation is never sent twice, not even after %s', async (_what, handler) => {
    const { server, client } = await serve(handler);
    await expect(client.files.createFormat('a', { name: 'ORIGINAL' })).rejects.toMatchObject({
      fields: { sent: true },
    });
    expect(server.seen).toHaveLength(1);
  });

  test('what is gone already counts as removed', async () => {
    const { client } = await serve((_seen, response) => sendJson(response, 404, { errors: ['not found'] }));
    await client.storages.endTransfer('s', { queue: 'transfers_to', transferId: 't', outcome: 'failed' });
    await client.storages.endDeletion('s', 'd');
    await client.transcode.endRecord('s', 'r');
    await client.jobs.patch('j', { status: 'FINISHED' });
    await client.assets.delete('a');
    expect(await client.files.byChecksum('0'.repeat(32))).toEqual([]);
    expect(await client.files.formatByName('a', 'ORIGINAL')).toBeNull();
  });

  test('ending a transfer says how it ended', async () => {
    const { server, client } = await serve((_seen, response) => void response.writeHead(204).end());
    await client.storages.endTransfer('s', { queue: 'transfers_from', transferId: 't', outcome: 'completed' });
    expect(server.seen[0]).toMatchObject({ method: 'DELETE', path: '/API/files/v1/storages/s/transfers_from/t/' });
    expect(server.seen[0]?.query.get('completed')).toBe('true');
    expect(server.seen[0]?.query.has('failed')).toBe(false);
  });

  test('events are acknowledged in calls of at most 100 ids', async () => {
    const { server, client } = await serve((_seen, response) => void response.writeHead(204).end());
    const ids = Array.from({ length: 205 }, (_, index) => `e${index}`);
    await client.storages.purgeEvents('s', ids);
    const sent = server.seen.map((seen) => (seen.body as { event_ids: string[] }).event_ids);
    expect(sent.map((list) => list.length)).toEqual([100, 100, 5]);
    expect(sent.flat()).toEqual(ids);
  });

  test('part URLs come complete, in order, over all pages', async () => {
    const { client } = await serve((seen, response) => {
      const from = (Number(seen.query.get('page')) - 1) * 10;
      const objects = Array.from({ length: 10 }, (_, index) => ({
        number: from + index + 1,
        url: `u${from + index + 1}`,
      }));
      sendJson(response, 200, { objects: objects.filter((part) => part.number <= 25).reverse() });
    });
    const urls = await client.files.multipartPartUrls('a', 'f', { uploadId: 'u', partsNum: 25 });
    expect(urls.map((part) => part.number)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  });

  test('part URLs that never become complete are an error, not an endless loop', async () => {
    const { client } = await serve((_seen, response) =>
      sendJson(response, 200, { objects: [{ number: 1, url: 'u' }] }),
    );
    await expect(client.files.multipartPartUrls('a', 'f', { uploadId: 'u', partsNum: 2 })).rejects.toMatchObject({
      code: 'iconik-answer-unreadable',
    });
  });

  test('records of a search that match only loosely are left out', async () => {
    const records = [
      { id: '1', directory_path: '/a/b/', name: 'x.mov' },
      { id: '2', directory_path: 'a/b/c', name: 'x.mov' },
      { id: '3', directory_path: 'a/b', name: 'y.mov' },
      { id: '4', directory_path: 'a/b', original_name: 'x.mov' },
    ];
    const { client } = await serve((_seen, response) => sendJson(response, 200, { objects: records, pages: 1 }));
    const found = await client.storages.findFiles('s', { directoryPath: 'a/b', name: 'x.mov' });
    expect(found.map((file) => file.id)).toEqual(['1', '4']);
  });
});

describe('failures', () => {
  test('an unknown gateway says which setting to check', async () => {
    const { client } = await serve((_seen, response) => sendJson(response, 404, { errors: ['not found'] }));
    await expect(client.gateways.get('gw-1')).rejects.toMatchObject({
      code: 'iconik-not-found',
      message: expect.stringMatching(/"gw-1".*storage-gateway-id in config\.ini/),
    });
  });

  test('a wrong token is reported at once, with what to do, and the token is nowhere in it', async () => {
    const told: IconikHealth[] = [];
    const { server, client } = await serve(
      (seen, response) =>
        sendJson(response, 401, { errors: [`token ${String(seen.headers['auth-token'])} is not valid`] }),
      { onHealth: (health) => told.push(health) },
    );
    const error: unknown = await client.gateways.get('gw-1').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'iconik-unauthorized',
      message: expect.stringContaining('auth-token in config.ini'),
    });
    expect(JSON.stringify([error, (error as Error).message, told])).not.toContain(TOKEN);
    expect(server.seen).toHaveLength(1);
    expect(told.map((health) => health.status)).toEqual(['failing']);
  });

  test('a server that accepts and never answers costs the call its time, no more', async () => {
    const url = await serveSockets(() => undefined);
    const client = clientFor(url, { callTimeoutMs: 300 });
    const startedMs = performance.now();
    await expect(client.assets.create({ title: 'x' })).rejects.toMatchObject({
      code: 'iconik-unreachable',
      fields: { sent: true },
    });
    expect(performance.now() - startedMs).toBeLessThan(3000);
  });

  test('a server that stops in the middle of the body costs the call its time, no more', async () => {
    const url = await serveSockets((socket) =>
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"id"'),
      ),
    );
    const client = clientFor(url, { callTimeoutMs: 300 });
    await expect(client.assets.create({ title: 'x' })).rejects.toMatchObject({ code: 'iconik-unreachable' });
  });

  test('a closed port is known as never sent', async () => {
    const server = await startLocalServer(() => undefined);
    await server.close();
    await expect(clientFor(server.url).assets.create({ title: 'x' })).rejects.toMatchObject({
      code: 'iconik-unreachable',
      fields: { sent: false },
    });
  });

  test('the caller may give up while the call is under way', async () => {
    const stop = new AbortController();
    const url = await serveSockets((socket) => socket.once('data', () => stop.abort()));
    await expect(clientFor(url).assets.create({ title: 'x' }, { signal: stop.signal })).rejects.toMatchObject({
      code: 'cancelled',
      fields: { sent: true },
    });
  });

  test('when iconik stays away calls are refused unsent, and come back with it', async () => {
    let isAway = true;
    const told: string[] = [];
    const { server, client } = await serve(
      (_seen, response) => (isAway ? void response.destroy() : sendJson(response, 200, { id: 'u' })),
      { onHealth: (health) => told.push(health.status), random: () => 0.9 },
    );
    await expect(client.users.currentId()).rejects.toMatchObject({ code: 'iconik-unreachable' });
    expect(client.breakerState()).toBe('open');
    const before = server.seen.length;
    await expect(client.assets.create({ title: 'x' })).rejects.toMatchObject({ fields: { refusedByBreaker: true } });
    expect(server.seen).toHaveLength(before);
    isAway = false;
    await expect.poll(() => client.users.currentId().catch(() => null), { timeout: 20_000 }).toBe('u');
    expect(client.iconikHealth().status).toBe('ok');
    expect(told).toEqual(['failing', 'ok']);
  });

  test('a 429 pauses all calls of the client for as long as the server asks', async () => {
    let isFirst = true;
    const { client } = await serve((_seen, response) => {
      if (isFirst) sendJson(response, 429, { errors: ['slow down'] }, { 'retry-after': '1' });
      else sendJson(response, 200, { id: 'u' });
      isFirst = false;
    });
    const startedMs = performance.now();
    expect(await client.users.currentId()).toBe('u');
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(990);
    expect(client.iconikHealth().status).toBe('throttled');
  });

  test('a proxy that cannot be reached is known as never sent', async () => {
    const gone = await startLocalServer(() => undefined);
    await gone.close();
    const { server } = await serve((_seen, response) => sendJson(response, 200, { id: 'x' }));
    const client = clientFor(server.url, { proxyUrl: gone.url });
    await expect(client.assets.create({ title: 'x' })).rejects.toMatchObject({
      code: 'iconik-unreachable',
      fields: { sent: false },
    });
    expect(server.seen).toHaveLength(0);
  });

  test('addresses that are none are refused at the start', () => {
    const options = {
      appId: 'a',
      authToken: 't',
      clock: systemClock,
      random: () => 0,
      log: silentLogger,
      requestsPerSecond: 1,
    };
    expect(() => createIconikApi({ ...options, baseUrl: 'app.iconik.io' })).toThrow(/iconik-url/);
    expect(() => createIconikApi({ ...options, baseUrl: 'https://app.iconik.io', proxyUrl: 'no address' })).toThrow(
      /https-proxy/,
    );
  });
});
