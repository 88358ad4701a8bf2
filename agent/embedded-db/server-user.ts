import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { IsgError } from '../runtime/errors.ts';

const run = promisify(execFile);

/** User and group that PostgreSQL runs as; both absent: the user of this process. */
export interface ServerUser {
  uid?: number;
  gid?: number;
}

/** The account that is used, and made where it is missing, when we run as root. Distributions call it the same. */
const ACCOUNT = 'postgres';

async function idOf(flag: '-u' | '-g'): Promise<number> {
  const { stdout } = await run('id', [flag, ACCOUNT]);
  const id = Number.parseInt(stdout, 10);
  if (!Number.isInteger(id)) throw new Error(`id ${flag} answered ${stdout}`);
  return id;
}

/**
 * PostgreSQL refuses to run as root, so for root this is the account `postgres`, created without a login shell if there is
 * none. For others it is empty. Throws `database-refused` when the account can neither be found nor made.
 */
export async function findServerUser(): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return {};
  try {
    return { uid: await idOf('-u'), gid: await idOf('-g') };
  } catch {
    // ignored because a missing account is made now; what else is wrong shows there again
  }
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/false', ACCOUNT]);
    return { uid: await idOf('-u'), gid: await idOf('-g') };
  } catch (thrown) {
    throw new IsgError(
      'database-refused',
      `PostgreSQL must not run as root, and the account "${ACCOUNT}" could not be made. Create it, or run the agent as another user.`,
      { retry: 'permanent', cause: thrown },
    );
  }
}
