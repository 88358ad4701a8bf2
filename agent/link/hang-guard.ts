import { Worker } from 'node:worker_threads';
import { BeatCounter } from './beat-counter.ts';
import { HANG_LIMIT_MS, LOOK_MS } from './hang-look.ts';

/** What the guard's thread is started with. */
export interface HangGuardData {
  memory: SharedArrayBuffer;
  limitMs: number;
  /** Gets a line about the end, if that can be written within a second. */
  logFile: string;
}

/**
 * Starts the thread that ends a service whose main loop hangs: no parent watches over it, and service managers see only that
 * the process is there. They start it anew. Call it in the main thread. Ends with the process and never keeps it alive.
 */
export function startHangGuard({ logFile, limitMs = HANG_LIMIT_MS }: { logFile: string; limitMs?: number }): void {
  const counter = new BeatCounter();
  // Several turns for each look, so that a living loop never looks still.
  setInterval(() => counter.count(), LOOK_MS / 2).unref();
  // The entry stands beside this file, TypeScript from source and JavaScript when built.
  const entry = import.meta.url.endsWith('.ts') ? './hang-guard-main.ts' : './hang-guard-main.js';
  const workerData: HangGuardData = { memory: counter.memory, limitMs, logFile };
  const worker = new Worker(new URL(entry, import.meta.url), { workerData, execArgv: [], stdin: false });
  worker.on('error', (thrown) => {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    process.stderr.write(`Nothing watches whether this service hangs: ${why}\n`);
  });
  worker.unref();
}
