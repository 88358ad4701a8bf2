import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { probeRoot } from '../../../agent/storage/process/probe-root.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'probe-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('probes that overlap do not take each other for a storage that cannot be written', async () => {
  const root = { mountPoint: folder, storageId: '11111111-1111-4111-8111-111111111111' };
  const probes = await Promise.all(Array.from({ length: 20 }, () => probeRoot(root, { testWrite: true })));
  expect(probes.map((probe) => probe.kind === 'reachable' && probe.writable)).toEqual(probes.map(() => true));
  expect(await readdir(folder)).toEqual([]);
});
