import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobHandler } from '../../../../agent/jobs/job-handler.ts';
import { createDirectDownloadHandler } from '../../../../agent/roles/transfer/direct/direct-download-handler.ts';
import type { DirectListener } from '../../../../agent/roles/transfer/direct/direct-listener.ts';
import { directPath } from '../../../../agent/roles/transfer/direct/direct-request-plan.ts';
import { probeGateway } from '../../../../agent/roles/transfer/direct/probe-gateway.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { ask, GatewayBench, makeCertificate } from './gateway-bench.ts';

const MEBIBYTE = 1024 * 1024;
const VERIFY = 'GET /API/files/v1/transfers/{transfer_id}/urls/verify/';

let bench: GatewayBench;
let handler: JobHandler;
let ca: string;

beforeAll(async () => {
  bench = await GatewayBench.open();
  ca = bench.certificate.certificateFile;
  const extraCa = await readFile(ca, 'utf8');
  const { api, createOnce } = bench;
  handler = createDirectDownloadHandler({
    api,
    createOnce,
    sql: bench.db.database,
    storageOf: () => bench.target,
    probe: (origin, signal) => probeGateway(origin, { httpsProxy: null, extraCa }, signal),
  }) as JobHandler;
});

afterAll(async () => {
  await bench[Symbol.asyncDispose]();
});

const verifications = () => bench.standIn.state().calls[VERIFY] ?? 0;

/** A link of iconik for this order, as the receiver forms it. */
async function linkFor(payload: { transferId: string; storageId: string }, fileId: string): Promise<string> {
  const signed = new URL(await bench.api.transfers.signedUrl(payload.transferId));
  return `${signed.origin}${directPath(payload.transferId, payload.storageId, fileId)}${signed.search}`;
}

describe('a direct transfer', () => {
  it('brings a file from the gateway that holds it, verified, over TLS', async () => {
    const { origin } = await bench.listen();
    const file = await bench.ingest('in/caf\u00e9 #1.mov', randomBytes(3 * MEBIBYTE + 77));
    await bench.runToEnd(handler, bench.orderDirect(file, origin), await bench.memory('direct-download'));
    expect((await readFile(join(bench.folder, 'target', 'got', 'caf\u00e9 #1.mov'))).equals(file.content)).toBe(true);
    const copies = await bench.api.files.assetFiles(file.assetId);
    expect(copies.find((copy) => copy.storage_id === bench.target.storageId)).toMatchObject({
      status: 'CLOSED',
      checksum: file.md5,
    });
    expect(bench.standIn.state().violations).toEqual([]);
    expect(JSON.stringify(bench.records)).not.toContain('signature=');
  });

  it('goes on where it was when the gateway died, and sends nothing twice', async () => {
    const file = await bench.ingest('in/long.mov', randomBytes(8 * MEBIBYTE));
    const offsets: number[] = [];
    const reached = Promise.withResolvers<void>();
    const hanging = Promise.withResolvers<never>();
    hanging.promise.catch(() => undefined);
    const dying: StorageAccess = {
      ...bench.source,
      readPart: async (part, options) => {
        if (part.offsetBytes < 4 * MEBIBYTE) return await bench.source.readPart(part, options);
        reached.resolve();
        return await hanging.promise;
      },
    };
    const first = await bench.listen({ storageOf: () => dying });
    const payload = bench.orderDirect(file, first.origin, 'long');
    const memory = await bench.memory('direct-download');
    const run = bench.runOnce(handler, payload, memory);
    await reached.promise;
    const port = first.listener.port ?? 0;
    const partial = async () => {
      const names = await readdir(join(bench.folder, 'target', 'long')).catch(() => []);
      const name = names.find((one) => one.startsWith('.isg-pro-part-'));
      return name ? ((await bench.target.stat(`long/${name}`))?.sizeBytes ?? 0) : 0;
    };
    await expect.poll(partial, { timeout: 60_000, interval: 50 }).toBeGreaterThanOrEqual(3 * MEBIBYTE);
    await first.listener.stop();
    expect((await run).kind).not.toBe('done');
    const held = await partial();
    // While it is away the order waits, with the reason.
    expect(await bench.runOnce(handler, payload, memory)).toMatchObject({
      kind: 'retry',
      error: { code: 'download-refused', message: expect.stringContaining('ECONNREFUSED') },
    });
    const counting: StorageAccess = {
      ...bench.source,
      readPart: (part, options) => {
        offsets.push(part.offsetBytes);
        return bench.source.readPart(part, options);
      },
    };
    await bench.listen({ storageOf: () => counting, address: { host: '', port, certificateFile: '', keyFile: '' } });
    await bench.runToEnd(handler, payload, memory);
    expect(Math.min(...offsets)).toBe(held);
    expect((await readFile(join(bench.folder, 'target', 'long', 'long.mov'))).equals(file.content)).toBe(true);
  });

  it('is refused by a receiver that cannot verify the certificate, whatever is configured', async () => {
    const { origin } = await bench.listen();
    const other = makeCertificate(bench.folder, 'other');
    const extraCa = await readFile(other.certificateFile, 'utf8');
    for (const trusted of [null, extraCa]) {
      const reach = await probeGateway(origin, { httpsProxy: null, extraCa: trusted }, AbortSignal.timeout(20_000));
      expect(reach).toMatchObject({ kind: 'unreachable', why: expect.stringContaining('direct-transfer-ca') });
    }
  });

  it('fails for good when the source is another file than the one ordered', async () => {
    const { origin } = await bench.listen();
    const file = await bench.ingest('in/changed.mov', randomBytes(1000));
    const payload = bench.orderDirect(file, origin, 'changed');
    await appendFile(join(bench.folder, 'source', file.path), 'more');
    const outcome = await bench.runOnce(handler, payload, await bench.memory('direct-download'));
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'download-refused', retry: 'permanent' } });
    expect(await readdir(join(bench.folder, 'target', 'changed')).catch(() => [])).toEqual([]);
  });
});

describe('the listener', () => {
  it('gives whole files and ranges of the file that the transfer names, and nothing else', async () => {
    const { origin } = await bench.listen();
    const file = await bench.ingest('in/one.mov', randomBytes(2 * MEBIBYTE));
    const other = await bench.ingest('in/two.mov', randomBytes(10));
    const payload = bench.orderDirect(file, origin);
    const otherOrder = bench.orderDirect(other, origin);
    const link = await linkFor(payload, file.fileId);
    const whole = await ask(link, { ca });
    expect(whole.status).toBe(200);
    expect(whole.body.equals(file.content)).toBe(true);
    const range = (value: string, more = {}) => ask(link, { ca, headers: { range: value, ...more } });
    const part = await range('bytes=1048570-1048600');
    expect(part).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 1048570-1048600/2097152' } });
    expect(part.body.equals(file.content.subarray(1048570, 1048601))).toBe(true);
    expect((await range('bytes=2097152-')).status).toBe(416);
    expect((await range('bytes=5-', { 'if-range': '"other"' })).status).toBe(200);
    expect((await range('bytes=5-', { 'if-match': '"other"' })).status).toBe(412);
    expect((await range('bytes=2097150-', { 'if-range': String(whole.headers.etag) })).body.length).toBe(2);
    const head = await ask(link, { ca, method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': '2097152', 'accept-ranges': 'bytes' } });
    expect(head.body.length).toBe(0);

    const before = verifications();
    const { search } = new URL(link);
    const refused: [string, number][] = [
      // A good signature, but for another transfer, file or storage.
      [`${origin}${directPath(otherOrder.transferId, payload.storageId, other.fileId)}${search}`, 403],
      [`${origin}${directPath(payload.transferId, payload.storageId, other.fileId)}${search}`, 404],
      [`${origin}${directPath(payload.transferId, bench.source.storageId, file.fileId)}${search}`, 404],
      [link.replace(/signature=./, 'signature=~'), 403],
      // Nothing that could be asked for.
      [link.replace(search, ''), 404],
      [link.replace(file.fileId, '..%2f..%2fetc%2fpasswd'), 404],
      [link.replace(`files/${file.fileId}/`, `files/../../${file.fileId}/`), 404],
      [`${origin}/`, 404],
      [`${origin}/v1/transfers/${search}`, 404],
    ];
    for (const [url, status] of refused) expect([url, (await ask(url, { ca })).status]).toEqual([url, status]);
    expect(verifications() - before).toBe(2);
    expect((await ask(link, { ca, method: 'POST' })).status).toBe(405);
    expect((await ask(link, { ca, headers: { 'x-long': 'x'.repeat(20_000) } })).status).toBe(431);
    expect((await ask(`${origin}/v1/healthcheck/`, { ca })).body.toString()).toBe('{"status":"ok"}');
  });

  it('believes iconik about a link: one that is withdrawn before its use is refused', async () => {
    const { origin } = await bench.listen();
    const file = await bench.ingest('in/late.mov', randomBytes(10));
    const link = await linkFor(bench.orderDirect(file, origin), file.fileId);
    for (const known of bench.standIn.records.transferLinks.values()) known.expiresAtMs = 0;
    expect((await ask(link, { ca })).status).toBe(403);
  });

  it('asks iconik about few bad signatures, and goes on serving the good one', async () => {
    // Time stands still, so nothing is refilled, however slow this machine is.
    const { origin } = await bench.listen({ clock: { ...systemClock, monotonicMs: () => 0 } });
    const file = await bench.ingest('in/flood.mov', randomBytes(10));
    const link = await linkFor(bench.orderDirect(file, origin), file.fileId);
    expect((await ask(link, { ca })).status).toBe(200);
    const before = verifications();
    const guesses = Array.from({ length: 40 }, (_, index) =>
      link.replace(/signature=.*/, `signature=guess-${index}0000`),
    );
    const statuses: number[] = [];
    for (const guess of guesses) statuses.push((await ask(guess, { ca })).status);
    expect(new Set(statuses)).toEqual(new Set([403, 429]));
    // Ten at once for one address; the good one was the first.
    expect(verifications() - before).toBe(9);
    expect((await ask(link, { ca })).body.equals(file.content)).toBe(true);
  });

  it('closes connections that come slowly, are too many, or speak an old TLS', async () => {
    const trusted = await readFile(ca, 'utf8');
    const connectTo = ({ port }: DirectListener, more = {}) => {
      const socket = connect({ host: '127.0.0.1', port: port ?? 0, ca: trusted, ...more });
      return socket.on('error', () => undefined);
    };
    const slow = connectTo((await bench.listen({ limits: { headersMs: 500 } })).listener);
    const answer: Buffer[] = [];
    slow.on('data', (chunk: Buffer) => answer.push(chunk));
    slow.once('secureConnect', () => slow.write('GET /v1/healthcheck/ HTTP/1.1\r\nhost: x\r\n'));
    await once(slow, 'close');
    expect(Buffer.concat(answer).toString()).toMatch(/^(HTTP\/1\.1 408 |$)/);

    const { listener } = await bench.listen({ limits: { headersMs: 60_000, connectionsPerAddress: 1 } });
    const only = connectTo(listener);
    await once(only, 'secureConnect');
    const [error] = (await once(connectTo(listener), 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    only.destroy();
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect
      .poll(
        async () => {
          const socket = connectTo(listener, old);
          const [refusal] = await Promise.race([once(socket, 'error'), once(socket, 'secureConnect')]);
          socket.destroy();
          return refusal instanceof Error ? refusal.message : 'connected';
        },
        { timeout: 20_000 },
      )
      .toMatch(/protocol|version/i);
  });

  it('leaves no port open when it is stopped while it begins to listen', async () => {
    const first = (await bench.listen()).listener;
    const port = first.port ?? 0;
    await first.stop();
    const address = { host: '127.0.0.1', port, ...bench.certificate };
    const hasty = bench.makeListener({ address });
    const starting = hasty.start();
    await hasty.stop();
    await starting;
    const next = await bench.listen({ address });
    expect(next.listener.port).toBe(port);
  });

  it('hands nothing out while the node is not at work, and opens no port without an address', async () => {
    const { origin } = await bench.listen({ isOpen: () => false });
    const file = await bench.ingest('in/closed.mov', randomBytes(10));
    expect((await ask(await linkFor(bench.orderDirect(file, origin), file.fileId), { ca })).status).toBe(503);
    expect((await ask(`${origin}/v1/healthcheck/`, { ca })).status).toBe(503);
  });
});
