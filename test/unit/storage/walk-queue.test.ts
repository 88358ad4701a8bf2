import { describe, expect, it } from 'vitest';
import { WalkQueue } from '../../../agent/storage/process/walk-queue.ts';

describe('the queue of a walk', () => {
  it('gives each directory once, with what is expected of it, and ends when nobody may find more', async () => {
    const queue = new WalkQueue(async (paths) => paths.map((path) => (path === 'a' ? 'known' : null)));
    queue.add(['']);
    expect(await queue.take(8, 1)).toEqual([{ path: '', expected: null }]);
    queue.add(['a', 'b']);
    queue.finish();
    expect(await queue.take(8, 1)).toEqual([
      { path: 'a', expected: 'known' },
      { path: 'b', expected: null },
    ]);
    const idle = queue.take(8, 1);
    queue.finish();
    expect(await idle).toEqual([]);
    expect(queue.isDone).toBe(true);
  });

  it('shares what there is among the hands, and takes back what was not begun', async () => {
    const queue = new WalkQueue(null);
    queue.add(['a', 'b', 'c', 'd']);
    const first = await queue.take(64, 2);
    expect(first.map((order) => order.path)).toEqual(['a', 'b']);
    queue.putBack(first.slice(1));
    queue.finish();
    expect((await queue.take(64, 1)).map((order) => order.path)).toEqual(['b', 'c', 'd']);
  });

  it('fetches fingerprints a little ahead, never of a whole wide tree', async () => {
    let asked = 0;
    const queue = new WalkQueue(async (paths) => {
      asked += paths.length;
      return paths.map(() => null);
    });
    queue.add(Array.from({ length: 100_000 }, (_, index) => `d${index}`));
    await queue.take(1, 1);
    expect(asked).toBeLessThanOrEqual(1_536);
  });

  it('fails whoever waits when the fingerprints cannot be had, and ends them when the walk is cancelled', async () => {
    const gone = new Error('database gone');
    const failing = new WalkQueue(() => Promise.reject(gone));
    failing.add(['']);
    await expect(failing.take(1, 1)).rejects.toBe(gone);
    const cancelled = new WalkQueue(() => new Promise(() => {}));
    cancelled.add(['']);
    const waiting = cancelled.take(1, 1);
    cancelled.close();
    expect(await waiting).toEqual([]);
  });
});
