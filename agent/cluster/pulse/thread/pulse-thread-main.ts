/** The renewal thread (README.md of agent/cluster/pulse): ends with its process, and when its channel closes. */
import { parentPort, workerData } from 'node:worker_threads';
import { threadDataSchema, toThreadSchema } from '../pulse-messages.ts';
import { PulseThread } from './pulse-thread.ts';

const port = parentPort;
if (port === null) throw new Error('the renewal thread was started as a program');
const thread = new PulseThread(threadDataSchema.parse(workerData), (message) => port.postMessage(message));
port.on('message', (message: unknown) => thread.take(toThreadSchema.parse(message)));
port.on('close', () => process.exit(0));
