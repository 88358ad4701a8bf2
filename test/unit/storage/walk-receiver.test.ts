import { describe, expect, it } from 'vitest';
import type { DirectoryListing } from '../../../agent/storage/storage-access.ts';
import type { ListingPart } from '../../../agent/storage/storage-messages.ts';
import { createWalkReceiver } from '../../../agent/storage/walk-receiver.ts';

function part(listingId: number, names: string[], last: boolean): ListingPart {
  return {
    kind: 'listing-part',
    callId: 1,
    listingId,
    path: `d${listingId}`,
    fingerprint: null,
    names: names.join('\0'),
    kinds: new Uint8Array(names.length),
    sizes: new Float64Array(names.length),
    mtimesNs: BigInt64Array.from(names, () => 1_700_000_000_123_456_789n),
    fileIds: BigUint64Array.from(names, () => 2n ** 64n - 1n),
    last,
  };
}

function receiver(consume: (listing: DirectoryListing) => Promise<void>) {
  const seen = { taken: 0, failures: [] as unknown[] };
  const walk = createWalkReceiver({
    consume,
    taken: () => {
      seen.taken += 1;
    },
    failed: (thrown) => seen.failures.push(thrown),
  });
  return { walk, seen };
}

describe('taking in a walk', () => {
  it('puts interleaved directories together and keeps nanoseconds and large file ids', async () => {
    const listings: DirectoryListing[] = [];
    const { walk } = receiver(async (listing) => {
      listings.push(listing);
    });
    walk.takePart(part(1, ['a'], false));
    walk.takePart(part(2, ['x'], true));
    walk.takePart(part(1, ['b'], true));
    await walk.drained();
    expect(listings).toMatchObject([
      { path: 'd2', entries: [{ name: 'x' }] },
      { path: 'd1', entries: [{ name: 'a' }, { name: 'b' }] },
    ]);
    expect(listings[0]).toMatchObject({
      entries: [{ mtimeNs: '1700000000123456789', fileId: '18446744073709551615', kind: 'file' }],
    });
  });

  it('hands over one directory at a time and asks for more only when one was consumed', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const begun: string[] = [];
    const { walk, seen } = receiver(async (listing) => {
      begun.push(listing.kind === 'unchanged' ? '' : listing.path);
      await gates[begun.length - 1]?.promise;
    });
    walk.takePart(part(1, ['a'], true));
    walk.takeUnreadable('d2', 'EACCES');
    await Promise.resolve();
    expect([begun, seen.taken, walk.isBusy()]).toEqual([['d1'], 0, true]);
    gates[0]?.resolve();
    gates[1]?.resolve();
    await walk.drained();
    expect([begun, seen.taken, walk.isBusy()]).toEqual([['d1', 'd2'], 2, false]);
  });

  it('takes parts of an unfinished directory at once, else a huge one could never be completed', () => {
    const { walk, seen } = receiver(async () => {});
    for (let index = 0; index < 100; index += 1) walk.takePart(part(1, ['a'], false));
    expect(seen.taken).toBe(100);
  });

  it('stops consuming after the consumer failed, and says so once', async () => {
    const boom = new Error('database gone');
    let calls = 0;
    const { walk, seen } = receiver(async () => {
      calls += 1;
      throw boom;
    });
    walk.takePart(part(1, ['a'], true));
    walk.takePart(part(2, ['a'], true));
    await expect(walk.drained()).rejects.toBe(boom);
    expect([calls, seen.failures]).toEqual([1, [boom]]);
  });
});
