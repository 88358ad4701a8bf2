import { type ChildProcess, fork } from 'node:child_process';
import type { AgentProcess, AgentProcessEvents, AgentProcessRequest, SpawnAgent } from './agent-process.ts';

/**
 * Runs the agent with a Node executable (`ISG_PRO_AGENT_NODE`): development, and tests on an Electron whose own Node is
 * older than the agent needs. The same messages as over a utility process.
 */
export function nodeAdapter(nodePath: string): SpawnAgent {
  return (request, events) => start(nodePath, request, events);
}

function start(nodePath: string, request: AgentProcessRequest, events: AgentProcessEvents): AgentProcess {
  const child = fork(request.entry, [...request.args], {
    execPath: nodePath,
    // Flags of the process we run in (inspector, loaders) are not the agent's.
    execArgv: [],
    env: request.env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    windowsHide: true,
  });
  child.stdout?.on('data', (chunk: Buffer) => events.output('stdout', chunk));
  child.stderr?.on('data', (chunk: Buffer) => events.output('stderr', chunk));
  child.on('message', (value) => events.message(value));
  child.once('close', () => events.silent());
  let hasExited = false;
  const exited = (code: number | null, signal: string | null, startError: string | null) => {
    if (hasExited) return;
    hasExited = true;
    events.exited({ code, signal, isCodeCertain: true, startError });
  };
  child.once('exit', (code, signal) => exited(code, signal, null));
  // Without a pid there is no process and no exit will come; otherwise a message or a signal failed, which the exit explains.
  child.on('error', (error) => {
    if (child.pid === undefined) exited(null, null, error.message);
  });
  return {
    pid: child.pid,
    send: (message) => {
      if (!hasExited && child.connected) child.send(message, () => {});
    },
    terminate: () => signal(child, 'SIGTERM'),
    kill: () => signal(child, 'SIGKILL'),
  };
}

function signal(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid !== undefined) child.kill(name);
}
