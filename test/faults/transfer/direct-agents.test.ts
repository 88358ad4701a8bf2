import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeCertificate } from '../../integration/transfer/direct/gateway-bench.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { MediaCluster } from '../../support/media-cluster.ts';

const SIZE = 192 * 1024 * 1024;
const DEADLINE_MS = 180_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function until<T>(look: () => Promise<T | null> | T | null, what: () => string): Promise<T> {
  const since = performance.now();
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() - since > DEADLINE_MS) throw new Error(`not in time: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function md5Of(path: string): Promise<string> {
  const hash = createHash('md5');
  for await (const chunk of createReadStream(path, { highWaterMark: 4 * 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A large file of which little takes room on the disk. */
async function makeSparse(path: string): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(SIZE);
  for (let at = 0; at < SIZE; at += 32 * 1024 * 1024) await file.write(Buffer.from(`piece at ${at}`), 0, null, at);
  await file.close();
}

it.skipIf(!isLong)(
  `a real agent hands a file to itself over its port; killed on the way, it goes on where it was${onlyLong}`,
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'direct-agents-'));
    const { certificateFile, keyFile } = makeCertificate(dir);
    const port = await freePort();
    const cluster = await MediaCluster.create({
      dir,
      nodes: [{ name: 'a', roles: ['MAIN', 'CHECKSUM', 'TRANSFER'] }],
      storageSettings: () => ({ local_proxy_creation: false, local_keyframe_creation: false }),
      config: {
        'direct-transfer-address': `127.0.0.1:${port}`,
        'direct-transfer-certificate': certificateFile,
        'direct-transfer-key': keyFile,
        'direct-transfer-ca': certificateFile,
      },
    });
    try {
      const source = join(cluster.mediaDir, 'big.bin');
      await makeSparse(source);
      cluster.startNode('a');
      const said = () => `${JSON.stringify(cluster.standIn.state().jobs)}\n${cluster.tail('a')}`;
      const file = await until(
        () =>
          cluster.standIn.state().files.find(({ name, status }) => name === 'big.bin' && status === 'CLOSED') ?? null,
        said,
      );
      const order = cluster.standIn.orderDownload({
        fileSetId: String(file.file_set_id),
        storageId: cluster.storageId,
        directoryPath: 'copied',
        originalUrl: `https://127.0.0.1:${port}`,
      });
      const partialBytes = async () => {
        const names = await readdir(join(cluster.mediaDir, 'copied')).catch(() => []);
        const name = names.find((one) => one.startsWith('.isg-pro-part-'));
        return name ? (await stat(join(cluster.mediaDir, 'copied', name))).size : 0;
      };
      const held = await until(async () => {
        const bytes = await partialBytes();
        return bytes > 0 ? bytes : null;
      }, said);
      expect(held).toBeLessThan(SIZE);
      await cluster.endNode('a', 'SIGKILL');
      const kept = await partialBytes();
      cluster.startNode('a');
      await until(() => cluster.standIn.state().ended.find(({ record }) => record.id === order.recordId) ?? null, said);
      expect(kept).toBeGreaterThanOrEqual(held);
      expect(cluster.standIn.state().ended).toMatchObject([{ queue: 'transfers_to', outcome: 'completed' }]);
      expect(await readdir(join(cluster.mediaDir, 'copied'))).toEqual(['big.bin']);
      expect(await md5Of(join(cluster.mediaDir, 'copied', 'big.bin'))).toBe(await md5Of(source));
      expect(cluster.standIn.state().violations).toEqual([]);
      expect(cluster.tail('a', 10_000)).not.toContain('signature=');
    } finally {
      await cluster.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
  600_000,
);
