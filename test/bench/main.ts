import { parseArgs } from 'node:util';
import { benchQueue } from './queue/bench-queue.ts';
import { benchStartup } from './startup.ts';

/** `npm run bench -- NAME [--json] [--only PART,…]`: measures one thing; the last line is JSON with the figures. */

const BENCHES: Record<string, (options: { only?: string | undefined }) => Promise<object>> = {
  queue: benchQueue,
  startup: benchStartup,
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, only: { type: 'string' } },
});
const [name = ''] = positionals;
const bench = BENCHES[name];
if (!bench) {
  process.stderr.write(`There is no bench "${name}". Say one of: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}
const result = await bench({ only: values.only });
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
