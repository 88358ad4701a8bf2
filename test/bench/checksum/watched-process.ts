/** A storage process that also says how long its main thread was ever kept from its messages. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { serveCalls } from '../../../agent/storage/process/serve-calls.ts';
import type { FromProcess } from '../../../agent/storage/storage-messages.ts';
import { rounded } from '../statistics.ts';

/** What it sends. */
export type FromWatchedProcess = FromProcess | { kind: 'delay'; maxMs: number };

const RESOLUTION_MS = 5;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
const tell = (message: FromWatchedProcess) => process.send?.(message);
const take = serveCalls(tell);

process.on('message', (message) => {
  if (message === 'delay') tell({ kind: 'delay', maxMs: rounded(delay.max / 1e6 - RESOLUTION_MS, 1) });
  else take(message);
  // What came before was its start.
  delay.enable();
});
process.once('disconnect', () => process.exit(0));
