import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** Where the agent's beat thread reports: one line of text per beat, each the main loop's counter. */
export interface BeatSocket {
  /** Value of `--beat-socket`. */
  readonly path: string;
  close(): void;
}

/** What happens on the socket. A connection belongs to the run (`runOf`) during which it was made. */
export interface BeatSocketOptions {
  temporaryFolder: string;
  platform: NodeJS.Platform;
  /** Number of the agent's current run. */
  runOf(): number;
  onBeat(run: number, counter: string): void;
  onClosed(run: number): void;
  /** The socket does not work; supervision goes on by messages alone. */
  onFailure(error: Error): void;
}

const FOLDER_PREFIX = 'isg-pro-beat-';
/** A beat is a number and a line end; a line longer than this is nobody's beat. */
const LINE_LIMIT = 64;

/**
 * Opens the socket: in a folder that only this user may enter, or a pipe with an unguessable name on Windows. It listens
 * when this returns (binding a local socket is synchronous), so that the agent may be started at once.
 */
export function openBeatSocket(options: BeatSocketOptions): BeatSocket {
  const place = placeOf(options);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    listenTo(socket, options);
  });
  server.on('error', (error) => options.onFailure(error));
  server.listen(place.path);
  server.unref();
  return {
    path: place.path,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      place.remove();
    },
  };
}

function placeOf(options: BeatSocketOptions): { path: string; remove(): void } {
  if (options.platform === 'win32')
    return { path: `\\\\.\\pipe\\${FOLDER_PREFIX}${process.pid}-${randomUUID()}`, remove: () => {} };
  removeLeftovers(options.temporaryFolder);
  const folder = mkdtempSync(join(options.temporaryFolder, `${FOLDER_PREFIX}${process.pid}-`));
  return { path: join(folder, 'beat'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

// Folders of applications that were killed and could not tidy up.
function removeLeftovers(temporaryFolder: string): void {
  for (const name of readdirSync(temporaryFolder)) {
    const pid = new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      rmSync(join(temporaryFolder, name), { recursive: true, force: true });
    } catch {
      // Ignored: it belongs to another user.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return !(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH');
  }
}

function listenTo(socket: Socket, options: BeatSocketOptions): void {
  const run = options.runOf();
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = (lines.pop() ?? '').slice(0, LINE_LIMIT);
    const last = lines.findLast((line) => /^\d{1,20}$/.test(line.trim()));
    if (last !== undefined) options.onBeat(run, last.trim());
  });
  socket.on('error', () => {
    // Ignored: `close` follows.
  });
  socket.once('close', () => options.onClosed(run));
}
