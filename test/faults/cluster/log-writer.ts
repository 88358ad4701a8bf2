/** A node as far as its log goes: writes records and ships them until killed; says which of them it was told are on disk. */
import { createLogCache } from '../../../agent/cache/log/log-cache.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';

const [path = '', uri = '', run = '', most = ''] = process.argv.slice(2);
const cache = createLogCache({ path, startThread: startLogThread, capBytes: 64_000_000, handOverMs: 5 });
cache.shipTo({ uri, workerId: 'worker-1', node: 'node-a' });

let written = 0;
async function writeSome(): Promise<void> {
  for (let n = 0; n < 20 && written < Number(most); n += 1) {
    written += 1;
    cache.sink({ level: 'info', message: `${run} ${written}`, fields: { role: 'MAIN' }, atMs: Date.now() });
  }
  if (await cache.flush(30_000)) process.stdout.write(`${written}\n`);
  if (written < Number(most)) setImmediate(() => void writeSome());
}
void writeSome();
// what is left is shipped, until all is told
setInterval(() => {
  const { shipping } = cache.status();
  if ((shipping?.shipped ?? 0) > 0) process.stdout.write('shipping\n');
  if (shipping?.state === 'caught-up') process.stdout.write('caught-up\n');
}, 50);
