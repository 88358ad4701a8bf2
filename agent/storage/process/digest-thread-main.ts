/** Entry of a digest thread: one task after the other. */
import { parentPort } from 'node:worker_threads';
import { carryOut } from './digest-reader.ts';
import { type DigestTask, type FromDigestThread, troubleOf } from './digest-task.ts';
import { classifyFileError } from './local-filesystem.ts';

function answer(message: FromDigestThread): void {
  parentPort?.postMessage(message);
}

parentPort?.on('message', ({ taskId, task }: { taskId: number; task: DigestTask }) => {
  try {
    answer({ kind: 'done', taskId, result: carryOut(task) });
  } catch (thrown) {
    const path = task.kind === 'read' ? task.path : '';
    answer({ kind: 'failed', taskId, trouble: troubleOf(classifyFileError(thrown, path)) });
  }
});
