import { expect, it } from 'vitest';
import type { DownloadItem } from '../../../agent/roles/transfer/download-plan.ts';
import {
  clearRemains,
  type DownloadCheckpoint,
  markReplacing,
} from '../../../agent/roles/transfer/download-remains.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';

const item = (partialPath: string, finalPath: string) => ({ partialPath, finalPath }) as DownloadItem;

/** A storage with these files; what is done to it is written down. */
function storageOf(files: string[]) {
  const done: string[] = [];
  const facts = { kind: 'file', sizeBytes: 1, mtimeNs: '1', fileId: '1' } as const;
  const storage: Pick<StorageAccess, 'stat' | 'commitFile' | 'removeFile'> = {
    stat: async (path) => (files.includes(path) ? facts : null),
    commitFile: async (from, to) => {
      done.push(`${from} → ${to}`);
      return facts;
    },
    removeFile: async (path) => {
      done.push(`no ${path}`);
      return 'removed';
    },
  };
  return { storage: storage as StorageAccess, done };
}

it('moves into place only what stands for a removed file under that very name', async () => {
  let saves = 0;
  const checkpoint: DownloadCheckpoint = {
    received: {},
    mismatches: 0,
    remains: [
      { partialPath: 'p0', finalPath: 'a.mov' },
      { partialPath: 'p1', finalPath: 'b.mov' },
      { partialPath: 'p0', finalPath: 'c.mov' },
    ],
  };
  const context = {
    log: silentLogger,
    saveCheckpoint: async () => {
      saves += 1;
    },
  };
  const kept = { checkpoint, context };
  await markReplacing(kept, item('p0', 'a.mov'), true);
  await markReplacing(kept, item('p0', 'a.mov'), true);
  expect(saves).toBe(1);
  const same = storageOf(['p0', 'p1']);
  const items = [item('p0', 'a.mov'), item('p1', 'b.mov')];
  expect(await clearRemains({ context, checkpoint, items, storage: same.storage })).toEqual(['b.mov']);
  expect(same.done).toEqual(['p0 → a.mov', 'no p1']);

  // The file set has changed: the partial name is another file's now.
  const changed = storageOf(['p0']);
  await clearRemains({ context, checkpoint, items: [item('p0', 'c.mov')], storage: changed.storage });
  expect(changed.done).toEqual(['no p0']);
  await markReplacing(kept, item('p0', 'c.mov'), false);
  expect(checkpoint.remains?.map((one) => one.replaces ?? false)).toEqual([false, false, false]);
});
