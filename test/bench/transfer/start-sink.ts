import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A running store of `sink.ts`. */
export interface RunningSink {
  url: string;
  /** Of every object that it gives. */
  md5: string;
  stop(): void;
}

/** Starts the store that drops what it is sent, with `count` objects of `sizeBytes` to be fetched. */
export async function startSink(stored: { sizeBytes: number; count: number }): Promise<RunningSink> {
  const path = fileURLToPath(new URL('./sink.ts', import.meta.url));
  const child = spawn(process.execPath, [path, String(stored.sizeBytes), String(stored.count)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { port, md5 } = JSON.parse(line) as { port: number; md5: string };
  return { url: `http://127.0.0.1:${port}`, md5, stop: () => void child.stdin.end() };
}
