/** Stands for an agent: owns a guard, storage processes at work, and a program that has children of its own. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../agent/storage/create-storage-access.ts';

const [mountPoint = '', ...paths] = process.argv.slice(2);
const guard = await createChildGuard();
const program = spawn('sh', ['-c', 'trap "" TERM; sleep 600 & sleep 600'], { detached: true, stdio: 'ignore' });
guard.watch(program);
const plain = spawn('sleep', ['600'], { stdio: 'ignore' });
guard.watch(plain);
const ended = spawn('true', [], { stdio: 'ignore' });
guard.watch(ended);
const storage = createStorageAccess({ storageId: 's', mountPoint, guard, log: silentLogger });
await storage.probe({ testWrite: false, timeoutMs: 10_000 });
const reading = paths.map((path) => {
  const begun = Promise.withResolvers<void>();
  storage.digest(path, { onProgress: () => begun.resolve() }).catch(() => {});
  return begun.promise;
});
await Promise.all(reading);
const childrenOf = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
const children = childrenOf(process.pid);
process.send?.([...children, ...childrenOf(program.pid ?? 0)]);
process.on('message', () => process.send?.('yes'));
