import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, readFileSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { type Bandwidth, createBandwidth } from '../../../agent/storage/bandwidth/bandwidth.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';
import type { SendRange } from '../../../agent/storage/storage-access.ts';
import { useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener, prepare: (server: Server) => void = () => {}): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  prepare(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket/key?X-Signature=secret`;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function storageWith(content: Buffer) {
  const storage = await storages.open();
  writeFileSync(join(storage.mountPoint, 'file'), content);
  return storage;
}

function rangeOf(mountPoint: string, url: string, range: { offsetBytes: number; lengthBytes: number }): SendRange {
  const { size, mtimeNs } = statSync(join(mountPoint, 'file'), { bigint: true });
  const expected = { sizeBytes: Number(size), mtimeNs: String(mtimeNs) };
  return { path: 'file', url, method: 'PUT', headers: { 'x-kind': 'part' }, expected, ...range };
}

const md5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex');

describe('the digest of a range', () => {
  const digestOf = (mountPoint: string, offsetBytes: number, lengthBytes: number) => {
    const { path, expected } = rangeOf(mountPoint, 'http://unused', { offsetBytes, lengthBytes });
    return { path, expected, offsetBytes, lengthBytes };
  };

  it.each([
    ['md5', 0, 3_000_000],
    ['sha1', 1_234_567, 1_500_001],
    ['sha1', 5, 0],
  ] as const)('is the %s of the bytes from %d, %d of them', async (algorithm, offsetBytes, lengthBytes) => {
    const content = randomBytes(3_000_000);
    const storage = await storageWith(content);
    const digest = await storage.digestRange(
      { ...digestOf(storage.mountPoint, offsetBytes, lengthBytes), algorithm },
      {},
    );
    const expected = createHash(algorithm).update(content.subarray(offsetBytes, offsetBytes + lengthBytes));
    expect(digest).toBe(expected.digest('hex'));
  });

  it('is refused of a file that is not as expected, and of bytes behind its end', async () => {
    const storage = await storageWith(randomBytes(1_000));
    const range = { ...digestOf(storage.mountPoint, 0, 1_000), algorithm: 'md5' as const };
    const behind = storage.digestRange({ ...range, lengthBytes: 1_001 }, {});
    await expect(behind).rejects.toEqual(withCode('file-changed'));
    appendFileSync(join(storage.mountPoint, 'file'), 'more');
    await expect(storage.digestRange(range, {})).rejects.toEqual(withCode('file-changed'));
  });
});

describe('sending a range', () => {
  it.each([
    [0, 3_000_000],
    [1_234_567, 1_000_001],
    [5, 7],
    [0, 0],
  ])('sends bytes from %d, %d of them, and nothing else', async (offsetBytes, lengthBytes) => {
    const content = randomBytes(3_000_000);
    const storage = await storageWith(content);
    let body: Buffer = Buffer.alloc(0);
    let headers = {};
    const url = await serve(async (request, response) => {
      headers = request.headers;
      body = await bodyOf(request);
      response.writeHead(201, { ETag: '"abc"' }).end('stored');
    });
    const answer = await storage.sendRange(rangeOf(storage.mountPoint, url, { offsetBytes, lengthBytes }), {});
    expect(answer).toMatchObject({ status: 201, headers: { etag: '"abc"' }, body: 'stored' });
    expect(headers).toMatchObject({ 'content-length': String(lengthBytes), 'x-kind': 'part' });
    expect(md5(body)).toBe(md5(content.subarray(offsetBytes, offsetBytes + lengthBytes)));
  });

  it('hands over an early refusal of a large body, of a server that breaks the connection after it', async () => {
    const storage = await storageWith(Buffer.alloc(1));
    execFileSync('truncate', ['-s', '200M', join(storage.mountPoint, 'file')]);
    const url = await serve(
      () => {},
      (server) =>
        server.on('checkContinue', (_request, response) => {
          response
            .writeHead(403, { connection: 'close' })
            .end('<Error>expired</Error>', () => response.socket?.destroy());
        }),
    );
    const send = rangeOf(storage.mountPoint, url, { offsetBytes: 0, lengthBytes: 200 * 1024 * 1024 });
    expect(await storage.sendRange(send, {})).toMatchObject({ status: 403, body: '<Error>expired</Error>' });
  });

  it('sends without being asked to a server that knows nothing of Expect, and again to one that refuses it', async () => {
    const storage = await storageWith(randomBytes(500_000));
    const send = (url: string) => rangeOf(storage.mountPoint, url, { offsetBytes: 0, lengthBytes: 500_000 });
    const take: RequestListener = async (request, response) => {
      response.end(String((await bodyOf(request)).length));
    };
    const silent = await serve(take, (server) => server.on('checkContinue', take));
    const refusing = await serve(take, (server) =>
      server.on('checkContinue', (_request, response) => response.writeHead(417).end()),
    );
    expect(await storage.sendRange(send(silent), {})).toMatchObject({ status: 200, body: '500000' });
    expect(await storage.sendRange(send(refusing), {})).toMatchObject({ status: 200, body: '500000' });
  });

  it('refuses a file that is not the recorded one before a byte goes out', async () => {
    const storage = await storageWith(randomBytes(1_000));
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      response.end();
    });
    const send = rangeOf(storage.mountPoint, url, { offsetBytes: 0, lengthBytes: 1_000 });
    appendFileSync(join(storage.mountPoint, 'file'), 'x');
    await expect(storage.sendRange(send, {})).rejects.toEqual(withCode('file-changed', 'permanent'));
    expect(requests).toBe(0);
  });

  it('never completes the body of a file that changed on the way', async () => {
    const storage = await storageWith(randomBytes(8_000_000));
    let complete = false;
    let changed = false;
    const url = await serve((request, response) => {
      request.on('data', () => {
        if (!changed) appendFileSync(join(storage.mountPoint, 'file'), 'x');
        changed = true;
      });
      request.on('end', () => {
        complete = true;
        response.end();
      });
      request.on('error', () => {});
    });
    const send = rangeOf(storage.mountPoint, url, { offsetBytes: 0, lengthBytes: 8_000_000 });
    await expect(storage.sendRange(send, {})).rejects.toEqual(withCode('file-changed'));
    expect(complete).toBe(false);
  });

  it('is stopped by its signal while the server takes nothing, and gives up by itself after the stall time', async () => {
    const directory = await storages.directory();
    const storage = await storages.open(directory, { httpStallMs: 2_500, stallMs: 1_500 });
    execFileSync('truncate', ['-s', '100M', join(directory, 'file')]);
    const asked = Promise.withResolvers<void>();
    const url = await serve(
      () => {},
      (server) =>
        server.on('checkContinue', (request: IncomingMessage, response) => {
          response.writeContinue();
          request.pause();
          asked.resolve();
        }),
    );
    const send = rangeOf(directory, url, { offsetBytes: 0, lengthBytes: 100 * 1024 * 1024 });
    const stop = new AbortController();
    const stopped = expect(storage.sendRange(send, { signal: stop.signal })).rejects.toEqual(withCode('cancelled'));
    await asked.promise;
    stop.abort();
    await stopped;
    // The storage answers, so its stall window (shorter here) does not count: the network is to blame.
    const error = await storage.sendRange(send, {}).catch((thrown: unknown) => thrown);
    expect(error).toEqual(withCode('upload-refused', 'transient'));
    expect(String(error)).not.toContain('secret');
  });

  it('says nothing of a signature when the connection is refused or the address is nonsense', async () => {
    const storage = await storageWith(randomBytes(10));
    const send = rangeOf(storage.mountPoint, 'http://127.0.0.1:1/bucket?X-Signature=secret', {
      offsetBytes: 0,
      lengthBytes: 10,
    });
    for (const url of [send.url, 'ftp://host/?secret', 'no url at all secret']) {
      const error = await storage.sendRange({ ...send, url }, {}).catch((thrown: unknown) => thrown);
      expect(error).toEqual(withCode('upload-refused'));
      expect(JSON.stringify([String(error), error])).not.toContain('secret');
    }
  });
});

describe('receiving a file', () => {
  const content = randomBytes(2_000_000);
  const digest = md5(content);

  /** A server of `content` that understands ranges; `cutAfter` breaks each answer after so many bytes. */
  function serveContent(options: { cutAfter?: number; ranges?: boolean; lengths?: boolean } = {}) {
    const seen: string[] = [];
    const url = serve((request, response) => {
      const range = request.headers.range;
      seen.push(range ?? 'whole');
      const start = range && options.ranges !== false ? Number(/=(\d+)-/.exec(range)?.[1]) : 0;
      const rest = content.subarray(start);
      const length = options.lengths === false ? {} : { 'content-length': rest.length };
      const span = { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` };
      if (start > 0) response.writeHead(206, { ...length, ...span });
      else response.writeHead(200, length);
      if (options.cutAfter === undefined) response.end(rest);
      else response.write(rest.subarray(0, options.cutAfter), () => response.destroy());
    });
    return { seen, url };
  }

  it('makes the directory, writes, and digests what is on the disk', async () => {
    const storage = await storages.open();
    const { url } = serveContent();
    const received = await storage.receiveFile({ url: await url, path: 'a/b/part', sizeBytes: content.length }, {});
    expect(received).toMatchObject({ md5: digest, changed: false, facts: { sizeBytes: content.length } });
    expect(md5(readFileSync(join(storage.mountPoint, 'a/b/part')))).toBe(digest);
  });

  it('keeps what it has after a broken connection and asks only for the rest', async () => {
    const storage = await storages.open();
    const broken = serveContent({ cutAfter: 700_000 });
    const receive = { path: 'part', sizeBytes: content.length };
    const first = storage.receiveFile({ url: await broken.url, ...receive }, {});
    await expect(first).rejects.toEqual(withCode('download-refused', 'transient'));
    // What arrived in the moment of the break may be lost.
    const kept = statSync(join(storage.mountPoint, 'part')).size;
    expect(kept).toBeGreaterThan(0);
    const whole = serveContent();
    expect(await storage.receiveFile({ url: await whole.url, ...receive }, {})).toMatchObject({ md5: digest });
    expect(whole.seen).toEqual([`bytes=${kept}-`]);
    expect(await storage.receiveFile({ url: await whole.url, ...receive }, {})).toMatchObject({ md5: digest });
    expect(whole.seen).toHaveLength(1);
  });

  it('takes a body that comes in chunks without a length, whole and from the middle on', async () => {
    const storage = await storages.open();
    const { url } = serveContent({ lengths: false });
    const receive = { url: await url, path: 'part', sizeBytes: content.length };
    expect(await storage.receiveFile(receive, {})).toMatchObject({ md5: digest });
    truncateSync(join(storage.mountPoint, 'part'), 300_000);
    expect(await storage.receiveFile(receive, {})).toMatchObject({ md5: digest });
  });

  it('starts anew when the server ignores ranges, or refuses this one, or the part is too long', async () => {
    const storage = await storages.open();
    const part = join(storage.mountPoint, 'part');
    const receive = { path: 'part', sizeBytes: content.length };
    writeFileSync(part, 'rubbish');
    const plain = serveContent({ ranges: false });
    expect(await storage.receiveFile({ url: await plain.url, ...receive }, {})).toMatchObject({ md5: digest });
    writeFileSync(part, 'rubbish');
    const picky = await serve((request, response) => {
      if (request.headers.range) response.writeHead(416).end();
      else response.end(content);
    });
    expect(await storage.receiveFile({ url: picky, ...receive }, {})).toMatchObject({ md5: digest });
    appendFileSync(part, 'too long');
    expect(await storage.receiveFile({ url: await serveContent().url, ...receive }, {})).toMatchObject({ md5: digest });
  });

  it.each([
    [401, 'transient'],
    [403, 'transient'],
    [404, 'permanent'],
    [503, 'transient'],
    [429, 'transient'],
  ] as const)('passes on an answer of %d as %s', async (status, retry) => {
    const storage = await storages.open();
    const url = await serve((_request, response) => response.writeHead(status).end('no'));
    const error = await storage
      .receiveFile({ url, path: 'part', sizeBytes: 10 }, {})
      .catch((thrown: unknown) => thrown);
    expect(error).toEqual(withCode('download-refused', retry));
    expect(error).toMatchObject({ fields: { status } });
    expect(String(error)).not.toContain('secret');
  });

  it('refuses a file of another length, announced or not', async () => {
    const storage = await storages.open();
    const announced = await serve((_request, response) => response.end(content));
    const chunked = await serve((_request, response) => {
      response.write(content.subarray(0, 1_000));
      response.end(content.subarray(1_000));
    });
    for (const url of [announced, chunked]) {
      const receive = storage.receiveFile({ url, path: 'part', sizeBytes: 1_500 }, {});
      await expect(receive).rejects.toEqual(withCode('content-differs', 'permanent'));
    }
  });

  it('follows redirects within the server, but not without end, and never to another host', async () => {
    const storage = await storages.open();
    const elsewhere = serveContent();
    const target = await elsewhere.url;
    const url = await serve((request, response) => {
      if (request.url === '/there') response.end(content);
      else response.writeHead(302, { location: '/there' }).end();
    });
    const receive = { path: 'part', sizeBytes: content.length };
    expect(await storage.receiveFile({ url, ...receive }, {})).toMatchObject({ md5: digest });
    const leading = await serve((_request, response) => response.writeHead(302, { location: target }).end());
    const led = storage.receiveFile({ url: leading, path: 'led', sizeBytes: content.length }, {});
    await expect(led).rejects.toEqual(withCode('download-refused', 'permanent'));
    expect(elsewhere.seen).toEqual([]);
    const loop = await serve((_request, response) => response.writeHead(302, { location: '/again' }).end());
    const endless = storage.receiveFile({ url: loop, path: 'other', sizeBytes: 10 }, {});
    await expect(endless).rejects.toEqual(withCode('download-refused', 'permanent'));
  });

  it('counts on no room that an earlier download will take, and on all of it once that has ended', async () => {
    const storage = await storages.open();
    const { bavail, bsize } = statfsSync(storage.mountPoint);
    const sizeBytes = Math.floor(bavail * bsize * 0.6);
    const stop = new AbortController();
    const begun = Promise.withResolvers<void>();
    const silent = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': sizeBytes }).flushHeaders();
      begun.resolve();
    });
    const first = storage.receiveFile({ url: silent, path: 'first', sizeBytes }, { signal: stop.signal });
    first.catch(() => {});
    await begun.promise;
    const url = await serve((_request, response) => response.writeHead(403).end());
    const second = storage.receiveFile({ url, path: 'second', sizeBytes }, {});
    await expect(second).rejects.toEqual(withCode('disk-full', 'transient'));
    await expect(second).rejects.toThrow(/other downloads in progress/);
    stop.abort();
    await expect(first).rejects.toEqual(withCode('cancelled'));
    const third = storage.receiveFile({ url, path: 'second', sizeBytes }, {});
    await expect(third).rejects.toEqual(withCode('download-refused'));
  });

  it('writes nothing below a mount that is gone', async () => {
    const directory = await storages.directory();
    const storage = await storages.open(directory);
    const { url, seen } = serveContent();
    const receive = storage.receiveFile({ url: await url, path: 'a/part', sizeBytes: content.length }, {});
    await expect(receive).rejects.toEqual(withCode('storage-unavailable', 'transient'));
    expect(seen).toEqual([]);
  });

  it('is stopped by its signal and can be taken up again', async () => {
    const storage = await storages.open();
    const stop = new AbortController();
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 300_000));
    });
    const receive = { path: 'part', sizeBytes: content.length };
    const stopped = storage.receiveFile(
      { url, ...receive },
      { signal: stop.signal, onProgress: (doneBytes) => doneBytes === 300_000 && stop.abort() },
    );
    await expect(stopped).rejects.toEqual(withCode('cancelled'));
    const rest = serveContent();
    expect(await storage.receiveFile({ url: await rest.url, ...receive }, {})).toMatchObject({ md5: digest });
    expect(rest.seen).toEqual(['bytes=300000-']);
  });
});

describe('transfers with a limited bandwidth', () => {
  const content = randomBytes(600_000);

  it('keep to it together in both directions, are not taken for stalled, and go on at once when the limit goes', async () => {
    let limit: number | null = 1_000_000;
    const granted: number[] = [];
    const real = createBandwidth({ clock: systemClock, limitAt: () => limit });
    const bandwidth: Bandwidth = {
      ...real,
      isLimited: () => real.isLimited(),
      subscribe: (listener) => real.subscribe(listener),
      take: async (bytes, signal) => {
        const allowed = await real.take(bytes, signal);
        granted.push(allowed);
        return allowed;
      },
    };
    const storage = createStorageAccess({
      storageId: 'paced',
      mountPoint: await storages.directory(),
      guard: storages.guard(),
      log: silentLogger,
      bandwidth,
      limits: { stallMs: 2_000, httpStallMs: 1_000 },
    });
    try {
      await storage.placeMarker();
      writeFileSync(join(storage.mountPoint, 'file'), content);
      const up = await serve(async (request, response) => {
        response.setHeader('x-md5', md5(await bodyOf(request)));
        response.end();
      });
      const down = await serve((_request, response) => response.end(content));
      const whole = { offsetBytes: 0, lengthBytes: content.length };
      const both = () =>
        Promise.all([
          storage.sendRange(rangeOf(storage.mountPoint, up, whole), {}),
          storage.receiveFile({ url: down, path: 'part', sizeBytes: content.length }, {}),
        ]);
      const since = performance.now();
      const [sent, received] = await both();
      const seconds = (performance.now() - since) / 1000;
      expect(sent.headers['x-md5']).toBe(md5(content));
      expect(received.md5).toBe(md5(content));
      expect(granted.reduce((sum, bytes) => sum + bytes, 0)).toBe(2 * content.length);
      expect(Math.max(...granted)).toBeLessThanOrEqual(20_000);
      // 1.2 MB at 1 MB/s, less what a tenth of a second saves.
      expect(seconds).toBeGreaterThan(1.05);
      rmSync(join(storage.mountPoint, 'part'));
      limit = 10_000;
      const slow = both();
      setTimeout(() => {
        limit = null;
      }, 2_500);
      const [again] = await slow;
      expect(again.headers['x-md5']).toBe(md5(content));
    } finally {
      await storage.stop();
    }
  });
});
