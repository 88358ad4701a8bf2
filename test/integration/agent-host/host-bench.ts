import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AgentHost, createAgentHost } from '../../../main/agent-host/agent-host.ts';
import type { SpawnAgent } from '../../../main/agent-host/agent-process.ts';
import { nodeAdapter } from '../../../main/agent-host/node-adapter.ts';
import type { AgentState } from '../../../preload/contract/app-state.ts';

const FAKE_AGENT = fileURLToPath(new URL('../../fixtures/fake-agent.mjs', import.meta.url));

/** A host with the scripted agent, and everything it reported. */
export interface HostBench extends AsyncDisposable {
  host: AgentHost;
  folder: string;
  states: (AgentState & { atMs: number })[];
  output: string[];
  logged: string[];
  /** Pids in the order of their starts, and when each was started and ended. */
  runs: { pid: number | undefined; startedMs: number; endedMs: number | null }[];
  /** Rewrites the file that scripts the agent. */
  script(behaviour: string): void;
  /** Resolves with the first state (also past) after index `from` for which it holds. */
  state(
    is: AgentState['state'] | ((state: AgentState) => boolean),
    from?: number,
  ): Promise<AgentState & { atMs: number }>;
}

/** A bench whose agent behaves as `behaviour` says; not started. */
export function hostBench(behaviour: string): HostBench {
  const folder = mkdtempSync(join(tmpdir(), 'agent-host-'));
  const configPath = join(folder, 'config.ini');
  const script = (text: string) => writeFileSync(configPath, text);
  script(behaviour);
  const seen = {
    states: [] as HostBench['states'],
    output: [] as string[],
    logged: [] as string[],
    runs: [] as HostBench['runs'],
  };
  const waiters = new Set<() => void>();
  const log = (message: string, fields?: Record<string, unknown>) =>
    void seen.logged.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const host = createAgentHost({
    spawn: recording(nodeAdapter(process.execPath), seen.runs),
    entry: FAKE_AGENT,
    configPath,
    dataDir: folder,
    temporaryFolder: folder,
    environment: { ...process.env, NODE_OPTIONS: '--no-warnings', ISG_AUTH_TOKEN: 'secret' },
    log: { info: log, warn: log },
    onState: (state) => {
      seen.states.push({ ...state, atMs: performance.now() });
      for (const wake of waiters) wake();
    },
    onSnapshot: () => {},
    onLogLines: () => {},
    onOutput: (stream, line) => void seen.output.push(`${stream} ${line}`),
  });
  return {
    host,
    folder,
    ...seen,
    script,
    state: (is, from = 0) =>
      new Promise((resolve) => {
        const look = () => {
          const found = seen.states
            .slice(from)
            .find((state) => (typeof is === 'string' ? state.state === is : is(state)));
          if (found === undefined) return;
          waiters.delete(look);
          resolve(found);
        };
        waiters.add(look);
        look();
      }),
    [Symbol.asyncDispose]: async () => {
      await host.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function recording(spawn: SpawnAgent, runs: HostBench['runs']): SpawnAgent {
  return (request, events) => {
    const run: HostBench['runs'][number] = { pid: undefined, startedMs: performance.now(), endedMs: null };
    runs.push(run);
    const child = spawn(request, {
      ...events,
      exited: (end) => {
        run.endedMs = performance.now();
        events.exited(end);
      },
    });
    run.pid = child.pid;
    return child;
  };
}

/** Resolves when the condition holds; fails with `what` after `limitMs`. */
export async function until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
  for (const endMs = performance.now() + limitMs; !condition(); ) {
    if (performance.now() > endMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether a process with this pid exists and is not merely waiting to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
