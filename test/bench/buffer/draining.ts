import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createLogCache, type LogCache } from '../../../agent/cache/log/log-cache.ts';
import { OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';
import { until } from './until.ts';

/** Records that a node kept while the database was away. */
export function fillOutbox(path: string, records: number): void {
  const file = new OutboxFile(path, 'fill', 4_000_000_000);
  const STEP = 2_000;
  for (let at = 0; at < records; at += STEP) {
    const batch = Array.from({ length: Math.min(STEP, records - at) }, (_, n) => ({
      level: 1,
      atMs: 1_700_000_000_000 + at + n,
      message: `The upload of part ${at + n} of a file has been done`,
      fields: JSON.stringify({ role: 'TRANSFER', jobId: String(at + n), storageId: 'storage', attempt: 1 }),
    }));
    file.append([{ no: at / STEP + 1, records: batch, dropped: [] }]);
  }
  file.close();
}

const open = (path: string): LogCache => createLogCache({ path, startThread: startLogThread, capBytes: 4_000_000_000 });
const target = (uri: string) => ({ uri, workerId: 'bench', node: 'bench' });
const shippedOf = (cache: LogCache) => cache.status().shipping?.shipped ?? 0;

/** Records a second from the first that arrived to the last. */
export async function drain(path: string, uri: string, records: number): Promise<number> {
  const cache = open(path);
  try {
    cache.shipTo(target(uri));
    await until(() => shippedOf(cache) > 0, 30_000);
    const [beganMs, first] = [performance.now(), shippedOf(cache)];
    await until(() => shippedOf(cache) >= records, 600_000);
    return ((records - first) / (performance.now() - beganMs)) * 1_000;
  } finally {
    cache.close();
  }
}

/** Work of all processors, with and without a log that is shipped beside it. */
export interface BesideWork {
  /** Work done beside shipping ÷ work done alone. */
  share: number;
  /** Records shipped a second beside the work. */
  shippedPerSecond: number;
}

const WORKERS = 2;

/** Alternates: a span of work alone, a span with shipping; as many times as asked. */
export async function shipBesideWork(path: string, uri: string, spans: number, spanMs: number): Promise<BesideWork> {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const url = new URL('./hash-thread.ts', import.meta.url);
  const workers = Array.from({ length: WORKERS }, () => new Worker(url, { workerData: counter.buffer }));
  const cache = open(path);
  cache.setBusy(true);
  const span = async () => {
    const before = Atomics.load(counter, 0);
    const beganMs = performance.now();
    await sleep(spanMs);
    return (Atomics.load(counter, 0) - before) / (performance.now() - beganMs);
  };
  let [alone, beside, shipped, shippingMs] = [0, 0, 0, 0];
  try {
    await until(() => Atomics.load(counter, 0) > 0, 30_000);
    for (let n = 0; n < spans; n += 1) {
      alone += await span();
      cache.shipTo(target(uri));
      const before = shippedOf(cache);
      await until(() => cache.status().shipping?.state === 'shipping' && shippedOf(cache) !== before, 60_000);
      const [from, beganMs] = [shippedOf(cache), performance.now()];
      beside += await span();
      shipped += shippedOf(cache) - from;
      shippingMs += performance.now() - beganMs;
      cache.shipTo(null);
      await until(() => cache.status().shipping?.state === 'off', 30_000);
    }
  } finally {
    cache.close();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return { share: beside / alone, shippedPerSecond: (shipped / shippingMs) * 1_000 };
}
