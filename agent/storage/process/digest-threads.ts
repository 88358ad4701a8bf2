/** The two digest threads of a storage process, as its main thread uses them. Started by the first digest. */
import { Worker } from 'node:worker_threads';
import { IsgError } from '../../runtime/errors.ts';
import type { CallContext } from './call-context.ts';
import { DigestControl } from './digest-control.ts';
import type { DigestTask, FromDigestThread, TaskResults } from './digest-task.ts';

/** Little lives in a digest thread but its buffer. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 3 };
const THREADS = 2;
/** Between two looks at how far the threads are. */
const PROGRESS_EVERY_MS = 100;

/** The entry: TypeScript from source, its bundle beside ours when built. */
function entryUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`./digest-thread-main${extension}`, import.meta.url);
}

/** A thread that carries out tasks in the order in which they were given. */
class DigestThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  #lastTaskId = 0;

  constructor() {
    this.#worker = new Worker(entryUrl(), { execArgv: [], resourceLimits: RESOURCE_LIMITS });
    this.#worker.on('message', (message: FromDigestThread) => this.#take(message));
    this.#worker.on('error', (error) => this.#failAll(error instanceof Error ? error : new Error(String(error))));
    this.#worker.on('exit', () => this.#failAll(new Error('a digest thread ended')));
    // A process that is told to end does not wait for it.
    this.#worker.unref();
  }

  get isGone(): boolean {
    return this.#worker.threadId === -1;
  }

  run<Kind extends DigestTask['kind']>(task: Extract<DigestTask, { kind: Kind }>): Promise<TaskResults[Kind]> {
    this.#lastTaskId += 1;
    const taskId = this.#lastTaskId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(taskId, { resolve: resolve as (result: unknown) => void, reject });
      this.#worker.ref();
      this.#worker.postMessage({ taskId, task });
    });
  }

  #take(message: FromDigestThread): void {
    const waiting = this.#waiting.get(message.taskId);
    this.#waiting.delete(message.taskId);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (message.kind === 'done') waiting?.resolve(message.result);
    else {
      const { code, message: words, retry, fields } = message.trouble;
      waiting?.reject(new IsgError(code, words, { retry, fields }));
    }
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

const threads: DigestThread[] = [];

/** A digest thread: number 0 or 1. One that died is replaced. */
function thread(number: number): DigestThread {
  const kept = threads[number];
  if (kept && !kept.isGone) return kept;
  const made = new DigestThread();
  threads[number] = made;
  return made;
}

/** Runs a task in thread 0 or 1; rejects with what stood in its way. */
export function runInThread<Kind extends DigestTask['kind']>(
  number: 0 | 1,
  task: Extract<DigestTask, { kind: Kind }>,
): Promise<TaskResults[Kind]> {
  return thread(number).run(task);
}

/** Gives each thread the same task. */
export function runInAll<Kind extends DigestTask['kind']>(
  task: Extract<DigestTask, { kind: Kind }>,
): Promise<TaskResults[Kind][]> {
  return Promise.all(Array.from({ length: THREADS }, (_, number) => thread(number).run(task)));
}

/**
 * Runs `work` with a control whose progress is told and which stops when the call is cancelled, or when part of the work
 * fails; ends only when all parts have ended, so that nothing is read any more when this settles.
 */
export async function underControl<Result>(
  context: CallContext,
  work: (control: DigestControl) => readonly [Promise<Result>, ...Promise<unknown>[]],
): Promise<Result> {
  const control = new DigestControl();
  const stop = () => control.stop();
  if (context.signal.aborted) stop();
  context.signal.addEventListener('abort', stop, { once: true });
  let told = 0;
  const timer = setInterval(() => {
    const done = control.doneBytes;
    if (done > told) context.progress(done);
    told = done;
  }, PROGRESS_EVERY_MS);
  try {
    const parts = work(control);
    // The first trouble is the reason; what follows from the stop is not.
    await Promise.all(parts).catch(async (thrown: unknown) => {
      stop();
      await Promise.allSettled(parts);
      throw thrown;
    });
    return await parts[0];
  } finally {
    clearInterval(timer);
    context.signal.removeEventListener('abort', stop);
  }
}
