/** Writes log records as fast as it can until killed; says how many are flushed. */
import { createLogStore } from '../../../agent/cache/log-store.ts';

const store = createLogStore({ path: process.argv[2] ?? '' });
let written = 0;
function writeSome(): void {
  for (let n = 0; n < 50; n += 1) {
    written += 1;
    store.sink({ level: 'info', message: `record ${written}`, fields: { n: written }, atMs: Date.now() });
  }
  store.flush();
  process.stdout.write(`${written}\n`);
  setImmediate(writeSome);
}
writeSome();
