import { Worker } from 'node:worker_threads';
import type { BeatCounter } from './beat-counter.ts';

/** What the beat thread is started with. */
export interface BeatThreadData {
  socketPath: string;
  memory: SharedArrayBuffer;
}

/**
 * Starts the thread that beats on the parent's local socket whatever the main loop does: the parent tells a busy or hung
 * loop (beats go on, counter stands) from a frozen process (no beats). Ends with the process and never keeps it alive.
 */
export function startBeatThread(socketPath: string, counter: BeatCounter): Worker {
  // The entry stands beside this file, TypeScript from source and JavaScript when built.
  const entry = import.meta.url.endsWith('.ts') ? './beat-thread-main.ts' : './beat-thread-main.js';
  const workerData: BeatThreadData = { socketPath, memory: counter.memory };
  const worker = new Worker(new URL(entry, import.meta.url), { workerData, execArgv: [], stdin: false });
  // Without the thread the beats over the link remain; the parent says that the thread is silent.
  worker.on('error', () => undefined);
  worker.unref();
  return worker;
}
