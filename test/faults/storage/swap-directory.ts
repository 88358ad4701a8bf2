import { renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

// Turns `shown` in a storage from a link that stays inside to one that leads out, and back, as fast as it can: what somebody
// with access to the file server does who wants the node to work somewhere else with the node's rights.

const [root = '', outside = '', seconds = '60'] = process.argv.slice(2);
const [shown, next] = [join(root, 'shown'), join(root, 'next')];
const until = performance.now() + Number(seconds) * 1_000;

process.stdout.write('swapping\n');
while (performance.now() < until) {
  for (const target of [outside, join(root, 'real')]) {
    symlinkSync(target, next);
    renameSync(next, shown);
  }
}
