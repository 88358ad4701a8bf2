import { Worker } from 'node:worker_threads';
import type { LogThread } from '../../cache/log/log-cache.ts';
import type { LogThreadData } from '../../cache/log/log-messages.ts';

/** The entry: TypeScript from source, JavaScript when built; the tree is kept by the build. */
function entryUrl(): URL {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return new URL(`./thread/log-thread-main${extension}`, import.meta.url);
}

/** Starts the thread that keeps and ships the log. */
export const startLogThread = (workerData: LogThreadData): LogThread =>
  new Worker(entryUrl(), { workerData, execArgv: [], stdin: false });
