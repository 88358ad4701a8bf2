/** The beat thread: one line with the main loop's counter every 500 ms on the parent's socket. Knows nothing else. */
import { connect, type Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { z } from 'zod';
import { BEAT_INTERVAL_MS } from '../contract/link.ts';
import { BeatCounter } from './beat-counter.ts';

const { socketPath, memory } = z
  .object({ socketPath: z.string(), memory: z.instanceof(SharedArrayBuffer) })
  .parse(workerData);

/** A parent that was there and has been gone for this long while the main loop stands: nobody is left to end us. */
const ORPHAN_MS = 2_500;

const counter = new BeatCounter(memory);
let socket: Socket | null = null;
let isConnected = false;
let wasConnected = false;
/** Since when the parent's socket has been away and the counter has stood at `stoodAt`. */
let alone: { sinceMs: number; stoodAt: number } | null = null;

function reconnect(): void {
  const next = connect(socketPath);
  socket = next;
  next.on('connect', () => {
    isConnected = true;
    wasConnected = true;
    write();
  });
  // What the parent says here is not looked at.
  next.resume();
  next.on('error', () => undefined);
  next.on('close', () => {
    isConnected = false;
    socket = null;
  });
}

function write(): void {
  // A parent that does not read must not make this process grow.
  if (socket && isConnected && socket.writableLength === 0) socket.write(`${counter.value()}\n`);
}

// A hung loop never notices that the parent is gone, so it is ended here. A living one stops in its own order.
function endIfOrphaned(): void {
  const value = counter.value();
  if (isConnected || !wasConnected) alone = null;
  else if (alone?.stoodAt !== value) alone = { sinceMs: performance.now(), stoodAt: value };
  else if (performance.now() - alone.sinceMs >= ORPHAN_MS) process.kill(process.pid, 'SIGKILL');
}

reconnect();
setInterval(() => {
  if (socket === null) reconnect();
  write();
  endIfOrphaned();
}, BEAT_INTERVAL_MS);
