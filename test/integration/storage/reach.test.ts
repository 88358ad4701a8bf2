import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDispatcher } from '../../../agent/iconik/http-dispatcher.ts';
import { sendOnce } from '../../../agent/iconik/object-upload/object-store-http.ts';
import { lookAtObject } from '../../../agent/iconik/object-upload/stored-object.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { lookupWithin } from '../../../agent/runtime/outbound-address.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();
const content = 'what is sent';
/** Whatever reaches it was led astray. */
const astray: string[] = [];
const canary = http.createServer((incoming, response) => {
  astray.push(`${incoming.method} ${incoming.url}`);
  response.end(content);
});
let location = '';
/** The store that iconik named: it points elsewhere. */
const pointing = http.createServer((incoming, response) => {
  incoming.resume();
  response.writeHead(307, { location }).end();
});
const portOf = (server: http.Server) => (server.address() as AddressInfo).port;
const named = () => `http://127.0.0.1:${portOf(pointing)}/object?signature=secret`;
let storage: StorageAccess;

beforeAll(async () => {
  // Every address of this machine: whoever is led to one of them is seen.
  await Promise.all([
    new Promise<void>((resolve) => canary.listen(0, resolve)),
    new Promise<void>((resolve) => pointing.listen(0, '127.0.0.1', resolve)),
  ]);
  storage = await storages.open();
  writeFileSync(join(storage.mountPoint, 'file'), content);
});
beforeEach(() => {
  astray.length = 0;
});
afterAll(() => {
  for (const server of [canary, pointing]) {
    server.closeAllConnections();
    server.close();
  }
});

/** Ways to this machine, and to where clouds hand out credentials. */
const elsewhere = () => {
  const port = portOf(canary);
  const hosts = '127.0.0.1 localhost 2130706433 0x7f.1 0177.0.0.1 [::1] [::ffff:127.0.0.1] 0.0.0.0 [::] 0 127.1'.split(
    ' ',
  );
  return [
    ...hosts.map((host) => `http://${host}:${port}/stolen`),
    'http://169.254.169.254/stolen',
    `//localhost:${port}/stolen`,
    'file:///etc/passwd',
    `https://127.0.0.1:${portOf(pointing)}/x`,
  ];
};

describe('a store that redirects', () => {
  it('leads no download to another server, however that is written', async () => {
    for (const [at, target] of elsewhere().entries()) {
      location = target;
      const led = storage.receiveFile({ url: named(), path: `led-${at}`, sizeBytes: content.length }, {});
      await expect(led, target).rejects.toEqual(withCode('download-refused', 'permanent'));
    }
    expect(astray).toEqual([]);
  });

  it('leads no upload and no look at an object anywhere: its answer is all there is', async () => {
    const signal = AbortSignal.timeout(30_000);
    const { sizeBytes, mtimeNs } = (await storage.stat('file')) ?? { sizeBytes: 0, mtimeNs: '' };
    const whole = {
      path: 'file',
      offsetBytes: 0,
      lengthBytes: sizeBytes,
      expected: { sizeBytes, mtimeNs },
      headers: {},
    };
    const dispatcher = createDispatcher({ callTimeoutMs: 5_000, isForNamedHosts: true });
    const deps = { clock: systemClock, random: Math.random, attempts: 1, stallMs: 5_000, dispatcher };
    for (const target of elsewhere()) {
      location = target;
      const put = await storage.sendRange({ ...whole, url: named(), method: 'PUT' }, {});
      const send = { what: 'try', url: named(), method: 'POST', body: 'secret', deadlineMs: 5_000, signal } as const;
      expect([put.status, (await sendOnce(deps, send)).status]).toEqual([307, 307]);
      expect(await lookAtObject(deps, named(), signal)).toBeNull();
    }
    await dispatcher.destroy();
    expect(astray).toEqual([]);
  });
});

describe('an address that no server has', () => {
  const spelled = () => {
    const port = portOf(canary);
    return ['0.0.0.0', '[::]', '0', '[::ffff:0.0.0.0]']
      .map((host) => `http://${host}:${port}/x`)
      .concat(['http://169.254.169.254/x', 'http://2852039166/x', 'http://[::ffff:a9fe:a9fe]/x', 'http://[fe80::1]/x']);
  };

  it('is not reached by a download or an upload, although iconik names it', async () => {
    const dispatcher = createDispatcher({ callTimeoutMs: 5_000, isForNamedHosts: true });
    const deps = { clock: systemClock, random: Math.random, attempts: 1, stallMs: 5_000, dispatcher };
    const { sizeBytes, mtimeNs } = (await storage.stat('file')) ?? { sizeBytes: 0, mtimeNs: '' };
    const whole = {
      path: 'file',
      offsetBytes: 0,
      lengthBytes: sizeBytes,
      expected: { sizeBytes, mtimeNs },
      headers: {},
    };
    const signal = AbortSignal.timeout(30_000);
    for (const url of spelled()) {
      const receive = storage.receiveFile({ url, path: 'never', sizeBytes: 1 }, {});
      await expect(receive, url).rejects.toEqual(withCode('download-refused', 'permanent'));
      const send = storage.sendRange({ ...whole, url, method: 'PUT' }, {});
      await expect(send, url).rejects.toEqual(withCode('upload-refused', 'permanent'));
      const post = sendOnce(deps, { what: 'try', url, method: 'POST', deadlineMs: 5_000, signal });
      await expect(post, url).rejects.toEqual(withCode('upload-refused', 'permanent'));
    }
    await dispatcher.destroy();
    expect(astray).toEqual([]);
  });
});

describe('a name that stands for other addresses from moment to moment', () => {
  /** Answers as the name servers of an attacker do: another address each time. */
  const rebinding = (answers: string[]): Parameters<typeof lookupWithin>[1] => {
    let at = 0;
    return (_host, _options, answer) => {
      const address = answers[at % answers.length] ?? '';
      at += 1;
      answer(null, [{ address, family: address.includes(':') ? 6 : 4 }]);
    };
  };
  const get = (lookup: LookupFunction) =>
    new Promise<string>((resolve) => {
      const url = `http://store.example:${portOf(canary)}/x`;
      http
        .get(url, { lookup, agent: false, timeout: 300 }, (response) => resolve(String(response.resume().statusCode)))
        .once('timeout', function ended(this: http.ClientRequest) {
          this.destroy(new Error('nobody there'));
        })
        .once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });

  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1', '10.0.0.1'])(
    'is not followed to %s where only servers of the internet may be',
    async (address) => {
      const lookup = lookupWithin('outer', rebinding([address, '203.0.113.7', address]));
      // The address that is judged is the one that is connected to: there is no second look.
      expect(await get(lookup)).toBe('ERR_ADDRESS_OUT_OF_REACH');
      expect(await get(lookup)).not.toBe('200');
      expect(await get(lookup)).toBe('ERR_ADDRESS_OUT_OF_REACH');
      expect(astray).toEqual([]);
    },
  );

  it('is never followed to an address that no server has, by either client, and otherwise as iconik names it', async () => {
    const lookup = lookupWithin('named', rebinding(['0.0.0.0', '169.254.169.254', '::']));
    const agent = new Agent({ connect: { lookup } });
    const url = `http://store.example:${portOf(canary)}/x`;
    await expect(request(url, { dispatcher: agent })).rejects.toMatchObject({ code: 'ERR_ADDRESS_OUT_OF_REACH' });
    expect(await get(lookup)).toBe('ERR_ADDRESS_OUT_OF_REACH');
    expect(await get(lookup)).toBe('ERR_ADDRESS_OUT_OF_REACH');
    expect(astray).toEqual([]);
    await agent.destroy();
    expect(await get(lookupWithin('named', rebinding(['127.0.0.1'])))).toBe('200');
  });
});
