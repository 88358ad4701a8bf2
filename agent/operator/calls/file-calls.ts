import { z } from 'zod';
import type { AgentCallHandlers, NewJob, ProblemFile } from '../../contract/index.ts';
import { enqueueJobs } from '../../db/queries/job.ts';
import { type ProblemFileRow, problemFiles } from '../../db/queries/operator-files.ts';
import type { Sql } from '../../runtime/sql.ts';
import { pathKey, pathSegments } from '../../storage/storage-path.ts';
import { makeCursor, readCursor } from './cursor.ts';

const placeSchema = z.object({ pathKey: z.string() });

/** What a state means when the index holds no words of its own. */
const STATE_WORDS: Readonly<Record<string, string>> = {
  missing: 'The file is gone from the storage; its asset stays in iconik. Put the file back, or delete it in iconik.',
  skipped: 'The storage’s settings in iconik say that this file is left out.',
  empty: 'The file holds no bytes. It is taken up as soon as something is written to it.',
  faulty: 'The file could not be taken up; the log of the node that tried says more.',
};

/** Files of storages that need attention. */
export function fileCalls(database: Sql): Pick<AgentCallHandlers, 'storages.problems' | 'storages.verify'> {
  return {
    'storages.verify': async ({ storageId, directory }) => {
      const path = pathSegments(directory).join('/');
      const jobs = await enqueueJobs(database, [verifyJob(storageId, path)]);
      return { isNew: jobs.length > 0 };
    },
    'storages.problems': async ({ storageId, cursor, limit }) => {
      const place = readCursor(cursor, (value) => placeSchema.safeParse(value).data);
      const rows = await problemFiles(database, storageId, { afterPathKey: place?.pathKey ?? '', limit });
      const last = rows.length === limit ? rows.at(-1) : undefined;
      return {
        rows: rows.map(toProblem),
        nextCursor: last === undefined ? null : makeCursor({ pathKey: last.path_key }),
      };
    },
  };
}

/** What the checksum role takes up; it waits for everything that somebody needs. */
function verifyJob(storageId: string, path: string): NewJob {
  return {
    role: 'CHECKSUM',
    kind: 'verify',
    storageId,
    payload: { storageId, path },
    priority: 1,
    dedupeKey: `verify:${storageId}:${pathKey(path)}`,
  };
}

function toProblem({ path, state, size_bytes: sizeBytes, message }: ProblemFileRow): ProblemFile {
  return { path, state, sizeBytes, reason: message ?? STATE_WORDS[state] ?? '' };
}
