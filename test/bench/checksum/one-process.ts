import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RequestOf, ToProcess } from '../../../agent/storage/storage-messages.ts';
import { FamilyMemory } from '../family-memory.ts';
import type { BenchFiles } from './bench-files.ts';
import type { FromWatchedProcess } from './watched-process.ts';

/** The longest that the main thread of a process that digests was kept from its messages, and the most memory it took. */
export async function measureOneProcess(
  mountPoint: string,
  { large, small }: BenchFiles,
): Promise<{ loopDelayMaxMs: number; rssMb: number }> {
  const entry = fileURLToPath(new URL('./watched-process.ts', import.meta.url));
  const child = fork(entry, { serialization: 'advanced', execArgv: [] });
  const memory = new FamilyMemory(child.pid ?? 0);
  const answer = async (): Promise<FromWatchedProcess> => {
    const [message] = await once(child, 'message');
    return message as FromWatchedProcess;
  };
  const tell = (message: ToProcess) => child.send(message);
  const result = async () => {
    for (;;) {
      const message = await answer();
      if (message.kind === 'error') throw new Error(message.message);
      if (message.kind === 'result') return;
    }
  };
  try {
    tell({ kind: 'settings', settings: { storageId: 'bench', mountPoint, httpsProxy: null, extraCa: null, httpStallMs: 60_000 } });
    const digest: RequestOf<'digest'> = { path: large, maxBytesPerSecond: null };
    const many: RequestOf<'digest-many'> = { paths: small.slice(0, 4_096), withMd5: true, maxBytesPerSecond: null };
    tell({ kind: 'request', callId: 1, operation: 'digest', request: digest, markerExpected: false });
    await result();
    tell({ kind: 'request', callId: 2, operation: 'digest-many', request: many, markerExpected: false });
    await result();
    const asked = answer();
    child.send('delay');
    const told = await asked;
    if (told.kind !== 'delay') throw new Error('the process did not tell its delay');
    return { loopDelayMaxMs: told.maxMs, rssMb: memory.peaksMb.rss.sum };
  } finally {
    memory.stop();
    child.kill('SIGKILL');
  }
}
