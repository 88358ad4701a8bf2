import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** Folder of the embedded database inside the data folder. */
export const FOLDER = 'embedded-db';
/** Role, database and schema all have this name. */
export const NAME = 'isg';

/** What the keeper says on each connection, one JSON object per line; the last one counts. */
export const keeperMessageSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('starting') }),
  z.object({ state: z.literal('ready'), port: z.number().int() }),
  z.object({ state: z.literal('failed'), message: z.string() }),
]);
/** What the keeper says. */
export type KeeperMessage = z.infer<typeof keeperMessageSchema>;

/** sockaddr_un holds 104 bytes on macOS and 108 on Linux, the closing zero included. */
const LONGEST_SOCKET_PATH = 100;

/**
 * Where the keeper of a data folder listens: a unix socket in it, a named pipe on Windows. A folder whose name is too long
 * for a socket gets one in a private folder under the temporary folder. `folder` is `<dataDir>/embedded-db`, resolved.
 */
export function keeperAddress(folder: string): string {
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 20);
  if (process.platform === 'win32') return `\\\\.\\pipe\\isg-pro-${hash}`;
  const inside = join(folder, 'keeper.sock');
  if (Buffer.byteLength(inside) <= LONGEST_SOCKET_PATH) return inside;
  const shared = join(tmpdir(), `isg-pro-${process.getuid?.() ?? 0}`);
  mkdirSync(shared, { recursive: true, mode: 0o700 });
  return join(shared, `${hash}.sock`);
}
