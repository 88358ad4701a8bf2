import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { findFreePort } from '../../agent/embedded-db/server-process.ts';

/** An S3 written by other people: moto's server, a process of its own. */
export interface TestMoto {
  origin: string;
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 60_000;

/** Whether `moto_server` is installed (`.ci/run` sees to it). */
export const hasMoto = spawnSync('moto_server', ['--help']).status === 0;

/** Said in the name of a test that needs it, where it is skipped. */
export const needsMoto = hasMoto ? '' : ' (skipped: moto_server is not installed, see .ci/run)';

/** Starts it on a free port and makes the bucket; resolves when it answers. */
export async function startMoto(bucket: string): Promise<TestMoto> {
  const port = await findFreePort();
  const origin = `http://127.0.0.1:${port}`;
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const gone = once(child, 'exit');
  const deadline = performance.now() + START_DEADLINE_MS;
  for (;;) {
    if (child.exitCode !== null || performance.now() > deadline) throw new Error('moto_server did not start');
    const made = await fetch(`${origin}/${bucket}`, { method: 'PUT' }).catch(() => null);
    if (made?.ok) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    origin,
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
