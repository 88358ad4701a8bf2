import { parseArgs } from 'node:util';
import { benchBuffer } from './buffer/bench-buffer.ts';
import { benchChecksum } from './checksum/bench-checksum.ts';
import { benchFailover } from './failover/failover.ts';
import { benchQueue } from './queue/bench-queue.ts';
import { benchScan } from './scan/bench-scan.ts';
import { benchStartup } from './startup.ts';
import { benchTransfer } from './transfer/bench-transfer.ts';

/** `npm run bench -- NAME [--json] [--short] [--only PART,…]`: measures one thing; the last line is JSON with the figures. */

/** `isShort`: a tenth of the load, to see that it works. `only`: some parts of it. */
interface BenchOptions {
  isShort: boolean;
  only?: string | undefined;
}

const BENCHES: Record<string, (options: BenchOptions) => Promise<object>> = {
  buffer: benchBuffer,
  checksum: benchChecksum,
  failover: benchFailover,
  queue: benchQueue,
  scan: benchScan,
  startup: benchStartup,
  transfer: benchTransfer,
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, only: { type: 'string' }, short: { type: 'boolean' } },
});
const [name = ''] = positionals;
const bench = BENCHES[name];
if (!bench) {
  process.stderr.write(`There is no bench "${name}". Say one of: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}
const result = await bench({ only: values.only, isShort: values.short === true });
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
