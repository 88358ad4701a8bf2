/** The service's side of the link alone, without a node: starts in a fraction of an agent's time. */

import { parseFlags } from '../../../agent/config/flags.ts';
import { ServiceLink } from '../../../agent/link/service-link.ts';
import { serviceCalls } from '../../../agent/operator/calls/service-calls.ts';
import { createConsoleSink } from '../../../agent/runtime/log-sinks.ts';
import { createLogger } from '../../../agent/runtime/logger.ts';

const { flags } = parseFlags(process.argv.slice(2));
const log = createLogger([createConsoleSink(process.stderr)], Date.now);
const link = new ServiceLink({ version: '1.2.3' });
link.serveOwn(serviceCalls({ configPath: flags.config ?? '', restart: () => link.restart() }));
process.on('SIGTERM', () => void link.goodbye(0, 'Stopped.').then(() => process.exit(0)));
// As an agent's work does.
setInterval(() => undefined, 60_000);
await link.listen(flags.serviceSocket ?? '', log);
