import { tmpdir } from 'node:os';
import { createAgentHost } from '../../../main/agent-host/agent-host.ts';
import { nodeAdapter } from '../../../main/agent-host/node-adapter.ts';

/** Plays Electron main: supervises an agent until it is killed. Arguments: entry, config.ini, data folder. Tells each state. */
const [entry = '', configPath = '', dataDir = ''] = process.argv.slice(2);
const tell = (line: string) => void process.stdout.write(`${line}\n`);
const host = createAgentHost({
  spawn: nodeAdapter(process.execPath),
  entry,
  configPath,
  dataDir,
  temporaryFolder: tmpdir(),
  environment: process.env,
  log: { info: tell, warn: tell },
  onState: (state) => tell(`state ${state.state} ${state.reason}`),
  onSnapshot: (snapshot) => tell(`phase ${snapshot.phase}`),
  onLogLines: () => {},
  onOutput: (_stream, line) => tell(line),
});
host.start();
process.on('SIGTERM', () => void host.stop().then(() => process.exit(0)));
