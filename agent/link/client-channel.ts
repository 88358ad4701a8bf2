import type { Socket } from 'node:net';
import { encodeLine, LineReader, MAX_LINE_TO_AGENT } from '../contract/index.ts';
import { systemClock } from '../runtime/clock.ts';
import type { LinkChannel } from './parent-channel.ts';

/** Bytes waiting for a client above which snapshots, beats and log lines are left out for it. */
const FULL_BYTES = 524_288;
/** Bytes waiting for a client above which it is cut off rather than answered. */
const MOST_BYTES = 8_388_608;
/** What a client may send within a second; a window at work sends some tens of messages. */
const MOST_MESSAGES = 500;
const MOST_BYTES_IN = 8_388_608;
const BUDGET_MS = 1_000;

/** Why a client was cut off. */
export type CutOff = 'too-long' | 'no-json' | 'too-much' | 'not-read';

/** What a client's channel tells besides messages. */
export interface ClientChannelOptions {
  /** Each message, before it is looked at. */
  onHeard(): void;
  /** The connection is cut off for what the client did. */
  onCutOff(why: CutOff): void;
}

/**
 * The channel over a client's connection: lines of JSON, with bounds on what one line, one second and what is not read may
 * take. Whoever passes one is cut off; a program that keeps to the protocol never does.
 */
export function clientChannel(socket: Socket, { onHeard, onCutOff }: ClientChannelOptions): LinkChannel {
  const reader = new LineReader(MAX_LINE_TO_AGENT);
  let windowMs = Number.NEGATIVE_INFINITY;
  let messages = 0;
  let bytes = 0;
  let listener: (message: unknown) => void = () => undefined;
  const cutOff = (why: CutOff) => {
    if (socket.destroyed) return;
    socket.destroy();
    onCutOff(why);
  };
  const onMessage = (message: unknown): boolean => {
    messages += 1;
    if (messages > MOST_MESSAGES) {
      cutOff('too-much');
      return false;
    }
    onHeard();
    listener(message);
    return !socket.destroyed;
  };
  socket.on('data', (chunk: Buffer) => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - windowMs >= BUDGET_MS) {
      windowMs = nowMs;
      messages = 0;
      bytes = 0;
    }
    bytes += chunk.length;
    if (bytes > MOST_BYTES_IN) return cutOff('too-much');
    const problem = reader.push(chunk, onMessage);
    if (problem !== null) cutOff(problem);
  });
  return {
    send: (message) =>
      new Promise((resolve) => {
        if (socket.destroyed || !socket.writable) return resolve();
        if (socket.writableLength > MOST_BYTES) {
          cutOff('not-read');
          return resolve();
        }
        socket.write(encodeLine(message), () => resolve());
      }),
    onMessage: (next) => {
      listener = next;
    },
    onClose: (closed) => void socket.once('close', closed),
    isFull: () => socket.writableLength > FULL_BYTES,
  };
}
