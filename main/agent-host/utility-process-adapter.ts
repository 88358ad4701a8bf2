import { utilityProcess } from 'electron';
import type { SpawnAgent } from './agent-process.ts';

/**
 * Runs the agent in Electron's utility process: the way of a packaged application, which needs no Node on the machine.
 * The only file of this folder that knows Electron. Call it after `app` is ready.
 */
export const utilityProcessAdapter: SpawnAgent = (request, events) => {
  const child = utilityProcess.fork(request.entry, [...request.args], {
    env: request.env,
    stdio: 'pipe',
    execArgv: [],
    serviceName: 'ISG Pro agent',
  });
  let hasExited = false;
  child.stdout?.on('data', (chunk: Buffer) => events.output('stdout', chunk));
  child.stderr?.on('data', (chunk: Buffer) => events.output('stderr', chunk));
  let openStreams = 2;
  const closed = () => {
    openStreams -= 1;
    if (openStreams === 0) events.silent();
  };
  child.stdout?.once('close', closed);
  child.stderr?.once('close', closed);
  child.on('message', (value: unknown) => events.message(value));
  child.once('exit', (code) => {
    hasExited = true;
    // On POSIX the number of a deadly signal is reported like an exit code (an abort as 6): the reader must not trust it.
    const isCodeCertain = process.platform === 'win32';
    events.exited({ code, signal: null, isCodeCertain, startError: null });
  });
  return {
    get pid() {
      return child.pid;
    },
    send: (message) => {
      if (!hasExited) child.postMessage(message);
    },
    terminate: () => {
      if (!hasExited) child.kill();
    },
    kill: () => {
      if (hasExited) return;
      // Not spawned yet: only Electron can reach it.
      if (child.pid === undefined) {
        child.kill();
        return;
      }
      try {
        process.kill(child.pid, 'SIGKILL');
      } catch {
        // Ignored: it has just ended, and its exit is on the way.
      }
    },
  };
};
