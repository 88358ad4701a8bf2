import { parseArgs } from 'node:util';
import { benchFailover } from './failover/failover.ts';
import { benchStartup } from './startup.ts';

/** `npm run bench -- NAME [--json] [--short]`: measures one thing; the last line is JSON with the figures. */

const BENCHES = { failover: benchFailover, startup: benchStartup } as const;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, short: { type: 'boolean' } },
});
const [name = ''] = positionals;
if (!(name in BENCHES)) {
  process.stderr.write(`There is no bench "${name}". Say one of: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(2);
}
const result = await BENCHES[name as keyof typeof BENCHES]({ isShort: values.short === true });
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
