/** A service's main loop and its guard alone: blocks for good on SIGUSR2. Arguments: the limit in milliseconds, the log file. */
import { startHangGuard } from '../../../agent/link/hang-guard.ts';

const [limitMs, logFile = ''] = process.argv.slice(2);
process.on('SIGUSR2', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
// As an agent's work does.
setInterval(() => undefined, 60_000);
startHangGuard({ limitMs: Number(limitMs), logFile });
process.stdout.write('ready\n');
