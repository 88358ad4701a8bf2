/** Work as a role has it: hashes until the thread is ended, counting in shared memory. */
import { createHash } from 'node:crypto';
import { workerData } from 'node:worker_threads';

const counter = new Int32Array(workerData as SharedArrayBuffer);
const bytes = Buffer.alloc(262_144, 7);
for (;;) {
  createHash('sha256').update(bytes).digest();
  Atomics.add(counter, 0, 1);
}
