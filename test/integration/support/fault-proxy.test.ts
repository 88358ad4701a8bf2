import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type NetworkFaults, SILENCE, startFaultProxy } from '../../support/fault-proxy.ts';
import { type ForkedFaultProxy, forkFaultProxy } from '../../support/fault-proxy-orders.ts';
import { until } from '../storage/storage-fixture.ts';

/** A server that sends back what it gets. */
const served = new Set<Socket>();
const received: string[] = [];
const echo = createServer((socket) => {
  served.add(socket);
  socket.on('close', () => served.delete(socket));
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    received.push(bytes.toString());
    socket.write(bytes);
  });
});
let proxy: ForkedFaultProxy;
const clients: Socket[] = [];

beforeEach(async () => {
  received.length = 0;
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.stop();
  for (const socket of served) socket.destroy();
  echo.close();
  await once(echo, 'close');
});

const target = () => {
  const address = echo.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};
const start = async (faults: NetworkFaults = {}) => {
  proxy = await startFaultProxy({ targetPort: target(), faults });
};

/** A client with what it heard and how it ended. */
async function client() {
  const socket = connect(proxy.port, '127.0.0.1');
  const state = { socket, heard: '', error: '' };
  socket.on('data', (bytes) => {
    state.heard += bytes.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    state.error = error.code ?? error.message;
  });
  clients.push(socket);
  await new Promise<void>((resolve) => {
    for (const event of ['connect', 'close']) socket.once(event, () => resolve());
  });
  return state;
}

/** A client whose first word has come back. */
async function talking() {
  const state = await client();
  state.socket.write('hello ');
  await until(() => state.heard === 'hello ', 5_000);
  return state;
}

describe('the fault proxy', () => {
  it('passes bytes and ends of both sides while nothing is wrong', async () => {
    await start();
    const one = await talking();
    expect(proxy.connections()).toBe(1);
    const ended = once(one.socket, 'close');
    one.socket.end();
    await ended;
    await until(() => proxy.connections() === 0 && served.size === 0, 5_000);
    expect(one.error).toBe('');
  });

  it('silent, it takes new connections, answers nothing, and resets what lost bytes when it heals', async () => {
    await start();
    const old = await talking();
    await proxy.setFaults(SILENCE);
    const fresh = await client();
    for (const { socket } of [old, fresh]) socket.write('lost');
    await until(() => proxy.connections() === 2, 5_000);
    await proxy.setFaults({});
    await until(() => old.error === 'ECONNRESET' && fresh.error === 'ECONNRESET', 5_000);
    expect(received).toEqual(['hello ']);
    expect((await talking()).heard).toBe('hello ');
  });

  it('cuts one direction only: the request arrives, its answer waits until the fault ends', async () => {
    await start();
    const one = await talking();
    await proxy.setFaults({ cut: { down: 'hold' } });
    one.socket.write('request');
    await until(() => received.includes('request'), 5_000);
    expect(one.heard).toBe('hello ');
    await proxy.setFaults({});
    await until(() => one.heard === 'hello request', 5_000);
  });

  it('hides that the other side went away while the cable is cut', async () => {
    await start();
    const one = await talking();
    await proxy.setFaults({ cut: { up: 'hold', down: 'hold' } });
    for (const socket of served) socket.destroy();
    await until(() => served.size === 0, 5_000);
    expect(one.socket.destroyed).toBe(false);
    await proxy.setFaults({});
    await until(() => one.socket.destroyed, 5_000);
  });

  it('delays each direction by its own latency and keeps the order', async () => {
    await start({ latency: { up: { delayMs: 100, jitterMs: 50 }, down: { delayMs: 100 } } });
    const one = await client();
    const since = performance.now();
    for (let at = 0; at < 20; at++) one.socket.write(`${at} `);
    const all = Array.from({ length: 20 }, (_, at) => `${at} `).join('');
    await until(() => one.heard.length === all.length, 5_000);
    expect(one.heard).toBe(all);
    expect(performance.now() - since).toBeGreaterThan(145);
  });

  it('resets every connection that exists, and takes new ones', async () => {
    await start();
    const one = await talking();
    proxy.resetAll();
    await until(() => one.error === 'ECONNRESET', 5_000);
    await until(() => served.size === 0, 5_000);
    expect((await talking()).heard).toBe('hello ');
  });

  it('refuses new connections, leaves existing ones alone, and listens on the same port again', async () => {
    await start();
    const old = await talking();
    await proxy.setFaults({ refuse: true });
    expect((await client()).error).toBe('ECONNREFUSED');
    old.socket.write('still');
    await until(() => old.heard === 'hello still', 5_000);
    await proxy.setFaults({});
    expect((await talking()).heard).toBe('hello ');
  });

  it('resets each connection after a random life', async () => {
    await start({ resetEveryMs: 20 });
    const some = await Promise.all([client(), client(), client()]);
    await until(() => some.every(({ error }) => error === 'ECONNRESET'), 10_000);
  });

  it('does not keep what a slow reader has not taken', async () => {
    await start();
    const one = await client();
    one.socket.pause();
    const piece = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < 64; at++) one.socket.write(piece);
    one.socket.end();
    let heard = 0;
    one.socket.removeAllListeners('data');
    one.socket.on('data', (bytes) => {
      heard += bytes.length;
    });
    one.socket.resume();
    await until(() => heard === 64 * piece.length, 20_000);
  });

  it('does the same as a process of its own', async () => {
    proxy = await forkFaultProxy({ targetPort: target() });
    const one = await talking();
    await proxy.setFaults({ cut: { up: 'drop' }, latency: { down: { delayMs: 1 } } });
    expect(proxy.connections()).toBe(1);
    one.socket.write('lost');
    await proxy.setFaults({});
    await until(() => one.error === 'ECONNRESET', 5_000);
    expect((await talking()).heard).toBe('hello ');
    await proxy.setFaults({ refuse: true });
    expect((await client()).error).toBe('ECONNREFUSED');
  });
});
