/** A batch of directories: what a walk thread is given and gives back. */
import type { DirectoryLister, ListOutcome } from './list-directory.ts';

/** What a walk thread is started with. */
export interface WalkThreadData {
  mountPoint: string;
  ignore: string[];
  include: string[];
  /** One shared number; anything but 0 = stop. */
  control: Int32Array;
}

/** One directory to list; `expected`: without columns when this is its fingerprint. */
export interface BatchOrder {
  path: string;
  expected: string | null;
}

/** What became of a batch; `left` was not begun. */
export interface BatchResult {
  outcomes: ListOutcome[];
  left: BatchOrder[];
}

/** What a walk thread sends. */
export type FromWalkThread =
  | { kind: 'alive' }
  | { kind: 'batch'; batchId: number; result: BatchResult }
  | { kind: 'failed'; batchId: number; message: string };

/** A batch ends after this many entries, so that results flow and no thread sits on directories that another could take. */
const ENTRIES_PER_BATCH = 4_000;

/** Lists directories one after the other until it has seen enough entries. */
export async function listBatch(lister: DirectoryLister, orders: readonly BatchOrder[]): Promise<BatchResult> {
  const outcomes: ListOutcome[] = [];
  let entries = 0;
  for (const [index, { path, expected }] of orders.entries()) {
    if (entries >= ENTRIES_PER_BATCH) return { outcomes, left: orders.slice(index) };
    const outcome = await lister.list(path, expected);
    outcomes.push(outcome);
    if (outcome.kind === 'listed') entries += outcome.files + outcome.children.length + outcome.skipped;
  }
  return { outcomes, left: [] };
}
