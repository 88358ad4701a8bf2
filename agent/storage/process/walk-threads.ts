/** The walk threads of one large walk, as the storage process's main thread uses them. */
import { Worker } from 'node:worker_threads';
import type { BatchOrder, BatchResult, FromWalkThread, WalkThreadData } from './walk-batch.ts';

/** Each thread of a walk needs memory of its own; what it lists lives only for a moment. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 3 };

/** The entry: TypeScript from source, its bundle beside ours when built. */
function entryUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`./walk-thread-main${extension}`, import.meta.url);
}

/** A thread that lists batches. */
export class WalkThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (result: BatchResult) => void; reject: (error: Error) => void }>();
  readonly #onAlive: () => void;
  #lastBatchId = 0;

  constructor(data: WalkThreadData, onAlive: () => void) {
    this.#onAlive = onAlive;
    this.#worker = new Worker(entryUrl(), { workerData: data, execArgv: [], resourceLimits: RESOURCE_LIMITS });
    this.#worker.on('message', (message: FromWalkThread) => this.#take(message));
    this.#worker.on('error', (error) => this.#failAll(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', () => this.#failAll(new Error('a walk thread ended')));
  }

  /** Lists a batch; rejects when the thread fails or was told to stop. */
  list(orders: BatchOrder[]): Promise<BatchResult> {
    this.#lastBatchId += 1;
    const batchId = this.#lastBatchId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(batchId, { resolve, reject });
      this.#worker.postMessage({ batchId, orders });
    });
  }

  /** Not awaited: a thread in a call that hangs ends only with the process. */
  end(): void {
    this.#worker.unref();
    void this.#worker.terminate();
  }

  #take(message: FromWalkThread): void {
    this.#onAlive();
    if (message.kind === 'alive') return;
    const waiting = this.#waiting.get(message.batchId);
    this.#waiting.delete(message.batchId);
    if (message.kind === 'batch') waiting?.resolve(message.result);
    else waiting?.reject(new Error(message.message));
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
