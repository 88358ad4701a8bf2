import { openParentLink } from './link/parent-link.ts';
import { VERSION } from './version.ts';

// Entry of the agent. The parent is greeted first, and only then everything else is loaded: that takes longer than the
// whole start before it, and hello is what the parent waits for.
const link = openParentLink({ version: VERSION });
const { runAgent } = await import('./run-agent.ts');
await runAgent(link);
