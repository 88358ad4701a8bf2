/** The renewal thread (README.md of agent/cluster/pulse): ends with its process, and when its channel closes. */
import { parentPort, workerData } from 'node:worker_threads';
import { type FromThread, threadDataSchema, toThreadSchema } from '../pulse-messages.ts';
import { PulseThread } from './pulse-thread.ts';

const port = parentPort;
if (port === null) throw new Error('the renewal thread was started as a program');
const post = (message: FromThread) => port.postMessage(message);
const thread = new PulseThread(threadDataSchema.parse(workerData), post);
port.on('message', (message: unknown) => {
  const { success, data, error } = toThreadSchema.safeParse(message);
  if (success) return thread.take(data);
  // The thread keeps more alive than what this message is about: it must not end by one bad number.
  const words = 'A message to the renewal thread makes no sense and is left out';
  post({ kind: 'log', level: 'error', message: words, fields: { error: error.message } });
});
port.on('close', () => process.exit(0));
