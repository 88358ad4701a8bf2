import { parseFlags } from './config/flags.ts';
import { EXIT } from './contract/index.ts';
import { openParentLink } from './link/parent-link.ts';
import { keepHeapLean } from './runtime/lean-heap.ts';
import { VERSION } from './version.ts';

// A parent that was killed leaves broken pipes behind; writing a log line to one must not become the next thing to log.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

keepHeapLean();

const { serviceOrder } = parseFlags(process.argv.slice(2)).flags;
if (serviceOrder) {
  // Needs nothing of a node, so that a service can be removed when a node cannot even be loaded.
  const { runServiceOrder } = await import('./service/run-service-order.ts');
  process.exit(await runServiceOrder(process.argv.slice(2), serviceOrder));
}

// Entry of the agent. The parent is greeted first, and only then everything else is loaded: that takes longer than the
// whole start before it, and hello is what the parent waits for.
const link = openParentLink({ version: VERSION });
// Until then nothing runs that would have to be stopped in order.
link?.onStop((cause) => process.exit(cause === 'lost' ? EXIT.parentLost : EXIT.stopped));
const { runAgent } = await import('./run-agent.ts');
await runAgent(link);
