/** The hang guard's thread: ends the process by SIGKILL when the main loop has stood for too long. Knows nothing else. */
import { appendFile, write } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { BeatCounter } from './beat-counter.ts';
import type { HangGuardData } from './hang-guard.ts';
import { type HangLook, hasHung, LOOK_MS, nextLook } from './hang-look.ts';

// Not parsed: it comes from `startHangGuard` alone, and a parser would cost each service some megabytes for this thread.
const { memory, limitMs, logFile } = workerData as HangGuardData;

/** The last words may hang where the main loop does (a full pipe, a dead disk); the end does not wait for them longer. */
const WORDS_LIMIT_MS = 1_000;
const STDERR = 2;

const counter = new BeatCounter(memory);
let look: HangLook | null = null;

const looking = setInterval(() => {
  look = nextLook(look, counter.value());
  if (hasHung(look, limitMs)) end();
}, LOOK_MS);

function end(): void {
  clearInterval(looking);
  const kill = () => process.kill(process.pid, 'SIGKILL');
  setTimeout(kill, WORDS_LIMIT_MS);
  const words = `The agent has hung for ${limitMs / 1_000} s and ends itself; the service manager starts it anew.`;
  const line = `${new Date().toISOString()} ERROR ${words}\n`;
  // neither waits for the main loop, as `process.stderr` and its like would
  write(STDERR, line, () => appendFile(logFile, line, { mode: 0o640 }, kill));
}
