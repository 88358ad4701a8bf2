import { connect } from 'node:net';
import {
  encodeLine,
  fromAgentSchema,
  LineReader,
  MAX_LINE_FROM_AGENT,
  type ToAgent,
} from '../../agent/contract/index.ts';
import type { ServicePlace } from './service-installed.ts';
import type { Failure } from './service-state.ts';

/** A connection with a system service, or a try to make one. None of the methods throws. */
export interface ServiceConnection {
  send(message: ToAgent): void;
  /** No event comes after it. */
  close(): void;
}

/** What a connection tells. It ends with `failed` or `lost`, exactly once, unless it is closed by us. */
export interface ServiceEvents {
  message(value: unknown): void;
  /** It never stood. */
  failed(why: Failure): void;
  /** It stood and has ended. */
  lost(): void;
}

/** A service that works says hello within milliseconds. */
const HELLO_LIMIT_MS = 10_000;
/** More than this is not handed to a service that does not read. */
const MOST_UNREAD = 4_194_304;

/** The third way to an agent, beside the two that start one: it runs already, and belongs to the system. */
export function connectService(path: string, events: ServiceEvents): ServiceConnection {
  const reader = new LineReader(MAX_LINE_FROM_AGENT);
  const socket = connect(path);
  let hasStood = false;
  let isOver = false;
  let failure: Failure = 'refused';
  const end = (tell: () => void) => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    socket.destroy();
    tell();
  };
  const lost = () => end(() => events.lost());
  const timer = setTimeout(lost, HELLO_LIMIT_MS);
  socket.on('connect', () => {
    hasStood = true;
    // The client speaks first.
    socket.write(encodeLine({ type: 'beat' } satisfies ToAgent));
  });
  socket.on('data', (chunk: Buffer) => {
    const problem = reader.push(chunk, (value) => {
      if (fromAgentSchema.safeParse(value).data?.type === 'hello') clearTimeout(timer);
      events.message(value);
      return !isOver;
    });
    if (problem !== null) lost();
  });
  socket.on('error', (thrown) => {
    failure = failureOf('code' in thrown ? String(thrown.code) : '');
  });
  socket.on('close', () => end(() => (hasStood ? events.lost() : events.failed(failure))));
  return {
    send: (message) => {
      if (!isOver && socket.writableLength < MOST_UNREAD) socket.write(encodeLine(message));
    },
    close: () => end(() => undefined),
  };
}

/** Where all instances of a pipe are taken, connecting waits; the window does not. */
const LOOK_LIMIT_MS = 1_000;

/** Whether a service is there, or should be: a quick look, before anything is decided. Never rejects. */
export async function isServiceHere(place: ServicePlace): Promise<boolean> {
  if (place.isFreeForAll && !place.isInstalled()) return false;
  const failure = await new Promise<Failure | null>((resolve) => {
    const done = (found: Failure | null) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(found);
    };
    const socket = connect(place.socketPath, () => done(null));
    const timer = setTimeout(() => done(null), LOOK_LIMIT_MS);
    socket.on('error', (thrown) => done(failureOf('code' in thrown ? String(thrown.code) : '')));
  });
  return failure !== 'absent' || place.isInstalled();
}

function failureOf(code: string): Failure {
  if (code === 'EACCES' || code === 'EPERM') return 'forbidden';
  return code === 'ENOENT' || code === 'ENOTDIR' ? 'absent' : 'refused';
}
