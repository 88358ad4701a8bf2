/**
 * The bare channel to the parent process: messages in, messages out, and the news that it is gone. Three kinds look alike
 * behind it: the port of an Electron utility process, the IPC channel of `child_process.fork`, and a client's connection with a
 * system service.
 */
export interface LinkChannel {
  /** Hands a message over; resolves when the channel has taken it or is closed. Never throws. */
  send(message: unknown): Promise<void>;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, when the parent is gone or has cut the channel. */
  onClose(listener: () => void): void;
  /** Whether so much waits for the other end that what is repeated anyway should be left out. */
  isFull?(): boolean;
}

/** What of Electron's `process.parentPort` is used; described here because the agent never imports electron. */
interface UtilityPort {
  postMessage(message: unknown): void;
  on(event: string, listener: (event: unknown) => void): unknown;
}

function isUtilityPort(value: unknown): value is UtilityPort {
  return typeof value === 'object' && value !== null && 'postMessage' in value && 'on' in value;
}

function dataOf(event: unknown): unknown {
  return typeof event === 'object' && event !== null && 'data' in event ? event.data : undefined;
}

function utilityChannel(port: UtilityPort): LinkChannel {
  return {
    send: async (message) => {
      try {
        port.postMessage(message);
      } catch {
        // ignored because a port that is gone tells so by its close event
      }
      // The port does not say when it has handed a message on; one turn of the loop is what it needs.
      await new Promise((resolve) => setImmediate(resolve));
    },
    onMessage: (listener) => void port.on('message', (event) => listener(dataOf(event))),
    onClose: (listener) => {
      port.on('close', listener);
      process.once('disconnect', listener);
    },
  };
}

function ipcChannel(): LinkChannel {
  return {
    send: (message) =>
      new Promise((resolve) => {
        if (!process.connected) return resolve();
        try {
          process.send?.(message, undefined, {}, () => resolve());
        } catch {
          // ignored because a channel that is gone tells so by its disconnect event
          resolve();
        }
      }),
    onMessage: (listener) => void process.on('message', listener),
    onClose: (listener) => void process.once('disconnect', listener),
  };
}

/** The channel to the parent, or null for a process that was started without one (headless). */
export function findParentChannel(): LinkChannel | null {
  const port: unknown = Reflect.get(process, 'parentPort');
  if (isUtilityPort(port)) return utilityChannel(port);
  return process.send && process.connected ? ipcChannel() : null;
}
