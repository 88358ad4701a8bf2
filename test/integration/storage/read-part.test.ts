import { randomBytes } from 'node:crypto';
import { appendFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { useStorages, withCode } from './storage-fixture.ts';

const storages = useStorages();
const content = randomBytes(3_000_000);

async function storageWithFile(limits = {}) {
  const mountPoint = await storages.directory();
  const storage = await storages.open(mountPoint, limits);
  await storage.placeMarker();
  writeFileSync(join(storage.mountPoint, 'file'), content);
  const { size, mtimeNs } = statSync(join(storage.mountPoint, 'file'), { bigint: true });
  return { storage, expected: { sizeBytes: Number(size), mtimeNs: String(mtimeNs) } };
}

describe('reading a piece of a file', () => {
  it('gives exactly the bytes asked for, also none and the last ones', async () => {
    const { storage, expected } = await storageWithFile();
    for (const [offsetBytes, lengthBytes] of [
      [0, 3_000_000],
      [1_234_567, 1_000_001],
      [2_999_999, 1],
      [3_000_000, 0],
    ] as const) {
      const part = await storage.readPart({ path: 'file', offsetBytes, lengthBytes, expected }, {});
      expect(content.subarray(offsetBytes, offsetBytes + lengthBytes).equals(part)).toBe(true);
    }
  });

  it('gives nothing of a file that is another than expected, of a link, or from outside', async () => {
    const { storage, expected } = await storageWithFile();
    const piece = { path: 'file', offsetBytes: 0, lengthBytes: 10, expected };
    await expect(storage.readPart({ ...piece, offsetBytes: 2_999_991 }, {})).rejects.toEqual(withCode('file-changed'));
    symlinkSync(join(storage.mountPoint, 'file'), join(storage.mountPoint, 'link'));
    await expect(storage.readPart({ ...piece, path: 'link' }, {})).rejects.toEqual(withCode('file-unreadable'));
    await expect(storage.readPart({ ...piece, path: '../file' }, {})).rejects.toEqual(withCode('outside-storage'));
    await expect(storage.readPart({ ...piece, path: 'none' }, {})).rejects.toEqual(withCode('file-not-found'));
    appendFileSync(join(storage.mountPoint, 'file'), 'x');
    await expect(storage.readPart(piece, {})).rejects.toEqual(withCode('file-changed'));
  });

  it('does not wait for the transfers of the storage', async () => {
    const { storage, expected } = await storageWithFile({ bulkProcesses: 1 });
    // Takes connections and says nothing: the transfers hold the only process there is for them.
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const ending = new AbortController();
    const receive = (index: number) =>
      storage
        .receiveFile({ url: `http://127.0.0.1:${port}/x`, path: `p${index}`, sizeBytes: 5 }, { signal: ending.signal })
        .catch(() => undefined);
    const transfers = Array.from({ length: 2 }, (_, index) => receive(index));
    const part = await storage.readPart({ path: 'file', offsetBytes: 0, lengthBytes: 4, expected }, {});
    expect(content.subarray(0, 4).equals(part)).toBe(true);
    ending.abort();
    await Promise.all(transfers);
    silent.close();
  });
});
