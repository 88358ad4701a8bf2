import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { backoffMs } from '../backoff.ts';
import { guardCommand } from './guard-command.ts';

/** Ends children of the agent when the agent is gone, however it went. */
export interface ChildGuard {
  /**
   * Has this child (and its process group, when it leads one: `detached: true`) killed within 3 s of the agent's death.
   * Ends by itself when the child exits. A child that never started (no pid) is ignored.
   */
  watch(child: ChildProcess): void;
  /** Ends the guard process; children still watched are killed by it. Resolves within 1 s; may be called twice. */
  stop(): Promise<void>;
}

/** A guard that keeps dying is restarted ever more slowly, but always again. */
const RESTART = { baseMs: 200, capMs: 5_000 };
/** A guard that lived this long died of something new: the count starts again. */
const STEADY_MS = 10_000;
/** How long `stop` waits for the guard; it kills what is left without us. */
const STOP_WAIT_MS = 1_000;

function spawnGuard(): ChildProcess {
  const { command, args, cwd, env } = guardCommand();
  const child = spawn(command, args, {
    // A session of its own: neither a closed terminal nor Ctrl-C reaches it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    windowsHide: true,
    cwd,
    env,
  });
  child.unref();
  // Its death shows as EPIPE here; `exit` deals with it.
  child.stdin?.on('error', () => {});
  return child;
}

/** Starts the guard process (README.md). Rejects when it cannot be started. */
export async function createChildGuard(): Promise<ChildGuard> {
  const pids = new Set<number>();
  let stopped = false;
  let failures = 0;
  let restart: NodeJS.Timeout | undefined;
  let guard = spawnGuard();
  const tell = (line: string) => guard.stdin?.write(`${line}\n`);
  const supervise = (startedAt: number) => {
    let ended = false;
    const onEnd = () => {
      if (ended || stopped) return;
      ended = true;
      failures = performance.now() - startedAt > STEADY_MS ? 1 : failures + 1;
      restart = setTimeout(again, backoffMs(failures, RESTART, Math.random)).unref();
    };
    guard.once('exit', onEnd);
    guard.once('error', onEnd);
  };
  const again = () => {
    guard = spawnGuard();
    supervise(performance.now());
    for (const pid of pids) tell(`add ${pid}`);
  };
  await once(guard, 'spawn');
  supervise(performance.now());
  return {
    watch(child) {
      const pid = child.pid;
      if (pid === undefined || hasEnded(child)) return;
      pids.add(pid);
      tell(`add ${pid}`);
      child.once('exit', () => {
        pids.delete(pid);
        tell(`remove ${pid}`);
      });
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      clearTimeout(restart);
      if (hasEnded(guard)) for (const pid of pids) kill(pid);
      else await endGuard(guard);
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** What the guard would have done, for the moment in which there is none. */
function kill(pid: number): void {
  for (const target of process.platform === 'win32' ? [pid] : [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // No such group, or gone already.
    }
  }
}

async function endGuard(guard: ChildProcess): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, STOP_WAIT_MS);
    guard.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    guard.stdin?.end();
  });
}
