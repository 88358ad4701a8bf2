import type { ToAgent } from '../../agent/contract/index.ts';
import type { RunEnd } from './host-situation.ts';

/** One running agent process, whatever runs it. None of the methods throws; on a process that has ended they do nothing. */
export interface AgentProcess {
  readonly pid: number | undefined;
  send(message: ToAgent): void;
  /** SIGTERM; on Windows the process ends at once. */
  terminate(): void;
  /** SIGKILL: works on a frozen process too. */
  kill(): void;
}

/** What to start. */
export interface AgentProcessRequest {
  /** The agent's entry file. */
  entry: string;
  args: readonly string[];
  /** The whole environment of the child, nothing is added. */
  env: Record<string, string>;
}

/** What a process tells. `exited` comes exactly once, also when the process could not be started; messages may come after it. */
export interface AgentProcessEvents {
  message(value: unknown): void;
  output(stream: 'stdout' | 'stderr', chunk: Buffer): void;
  exited(end: RunEnd): void;
  /** Standard output and error are closed: everything that was said has been heard. */
  silent(): void;
}

/** Starts the agent's process; may throw when that is impossible, and calls no event before it returns. Two adapters: `utility-process-adapter.ts` (Electron) and `node-adapter.ts` (a Node executable). */
export type SpawnAgent = (request: AgentProcessRequest, events: AgentProcessEvents) => AgentProcess;
