/** Entry of a walk thread: lists directories with synchronous calls, beside the thread that talks to the agent. */
import { parentPort, workerData } from 'node:worker_threads';
import { IsgError } from '../../runtime/errors.ts';
import { compileSelection } from '../ignore-patterns.ts';
import { DirectoryLister } from './list-directory.ts';
import { type BatchOrder, listBatch, type WalkThreadData } from './walk-batch.ts';

const { mountPoint, ignore, include, control } = workerData as WalkThreadData;
const { selection } = compileSelection({ ignore, include }, { ignoreCase: process.platform === 'win32' });

/** Between two signs of life. */
const ALIVE_EVERY_MS = 100;
let toldAt = performance.now();

const lister = new DirectoryLister({
  mountPoint,
  selection,
  step() {
    if (Atomics.load(control, 0) !== 0)
      throw new IsgError('cancelled', 'The call was cancelled.', { retry: 'transient' });
    const now = performance.now();
    if (now - toldAt > ALIVE_EVERY_MS) {
      toldAt = now;
      parentPort?.postMessage({ kind: 'alive' });
    }
    return null;
  },
});

parentPort?.on('message', ({ batchId, orders }: { batchId: number; orders: BatchOrder[] }) => {
  listBatch(lister, orders).then(
    (result) => parentPort?.postMessage({ kind: 'batch', batchId, result }),
    (thrown: unknown) => parentPort?.postMessage({ kind: 'failed', batchId, message: String(thrown) }),
  );
});
