/**
 * Entry of a storage process. It lives exactly as long as its channel to the agent: once that closes it kills itself,
 * because an ordinary exit waits for file operations that may never return.
 */
import { closeProcess } from '../../runtime/closed-process.ts';
import type { FromProcess } from '../storage-messages.ts';
import { serveCalls } from './serve-calls.ts';

function leave(): void {
  process.kill(process.pid, 'SIGKILL');
}

function send(message: FromProcess): void {
  // A closed channel ends this process by `disconnect`.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Ignored: they reach the whole terminal or service group; the agent decides when this process ends.
  });
}
closeProcess();
process.title = 'isg-pro storage process';
process.on('message', serveCalls(send));
process.on('disconnect', leave);
if (process.connected) send({ kind: 'ready' });
else leave();
