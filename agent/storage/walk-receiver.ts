/** Puts directory listings together from their parts and hands them, one at a time, to whoever walks. */
import type { DirectoryEntry, DirectoryListing, UnchangedDirectory } from './storage-access.ts';
import { ENTRY_KINDS, type ListingPart } from './storage-messages.ts';

/** Takes the listings of one walk. */
export interface WalkReceiver {
  takePart(part: ListingPart): void;
  takeUnreadable(path: string, reason: string): void;
  takeUnchanged(directories: UnchangedDirectory[]): void;
  /** Whether the consumer has something to do: silence of the process means nothing meanwhile. */
  isBusy(): boolean;
  /** Resolves when everything taken so far was consumed; rejects with what the consumer threw. */
  drained(): Promise<void>;
}

function entriesOf(part: ListingPart): DirectoryEntry[] {
  const names = part.names === '' && part.kinds.length === 0 ? [] : part.names.split('\0');
  const length = names.length;
  for (const column of [part.kinds, part.sizes, part.mtimesNs, part.fileIds]) {
    if (column.length !== length) throw new RangeError('a listing part with columns of different lengths');
  }
  return names.map((name, index) => ({
    name,
    kind: ENTRY_KINDS[part.kinds[index] ?? 3] ?? 'other',
    sizeBytes: part.sizes[index] ?? 0,
    mtimeNs: String(part.mtimesNs[index] ?? 0n),
    fileId: String(part.fileIds[index] ?? 0n),
  }));
}

/**
 * `consume` gets the listings in order, never two at a time. `taken` is called once per part or unreadable directory when
 * its memory is free again; a part that waits for the rest of its directory counts as taken at once, else a directory of
 * more parts than the window could never be completed. `failed` is called once, with what `consume` threw.
 */
export function createWalkReceiver(callbacks: {
  consume: (listing: DirectoryListing) => Promise<void>;
  taken: () => void;
  failed: (thrown: unknown) => void;
}): WalkReceiver {
  const incomplete = new Map<number, DirectoryEntry[]>();
  let waiting = 0;
  let hasFailed = false;
  let chain: Promise<void> = Promise.resolve();
  const enqueue = (listing: DirectoryListing) => {
    waiting += 1;
    chain = chain.then(async () => {
      if (!hasFailed) await callbacks.consume(listing);
      waiting -= 1;
      callbacks.taken();
    });
    chain.catch((thrown: unknown) => {
      waiting = 0;
      if (hasFailed) return;
      hasFailed = true;
      callbacks.failed(thrown);
    });
  };
  return {
    takePart(part) {
      const earlier = incomplete.get(part.listingId);
      const entries = earlier ?? [];
      for (const entry of entriesOf(part)) entries.push(entry);
      if (part.last) {
        incomplete.delete(part.listingId);
        enqueue({ kind: 'listed', path: part.path, entries, fingerprint: part.fingerprint });
        return;
      }
      if (!earlier) incomplete.set(part.listingId, entries);
      callbacks.taken();
    },
    takeUnreadable: (path, reason) => enqueue({ kind: 'unreadable', path, reason }),
    takeUnchanged: (directories) => enqueue({ kind: 'unchanged', directories }),
    isBusy: () => waiting > 0,
    drained: () => chain,
  };
}
