import type { UnreportedMissing } from '../../../db/queries/storage-file.ts';
import { postponeMissingReport, recordMissingReported, unreportedMissing } from '../../../db/queries/storage-file.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import { coerceError, type ErrorRecord } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';

/** Reports of one round; the rest follows in the next, so that a mass deletion does not stop the scans. */
const REPORTS_PER_ROUND = 200;
const REPORT_BACKOFF = { baseMs: 2000, capMs: 60_000 };

/** What the report works with. */
export interface MissingReportContext {
  database: Database;
  api: { storages: Pick<IconikApi['storages'], 'patchFileAt'> };
  leadership: Leadership;
  storageId: string;
  log: Logger;
  random: () => number;
}

const REPORTED: ErrorRecord = {
  code: 'file-not-found',
  message:
    'The file is gone from the storage; iconik shows it as MISSING. Put it back, or clear missing files in iconik.',
  retry: 'transient',
};

async function reportOne(context: MissingReportContext, file: UnreportedMissing): Promise<void> {
  const { database, api, leadership, storageId, log } = context;
  const row = { storageId, pathKey: file.pathKey };
  const name = nameOf(file.path);
  const body = { directory_path: directoryOf(file.path), name, original_name: name, type: 'FILE', status: 'MISSING' };
  try {
    leadership.assertTrusted();
    await api.storages.patchFileAt(storageId, body, { signal: leadership.signal });
  } catch (thrown) {
    const error = coerceError(thrown);
    if (leadership.signal.aborted || error.code === 'leadership-lost') throw error;
    if (error.code !== 'iconik-not-found') {
      log.warn('iconik was not told that a file is missing; it will be told later', {
        storageId,
        path: file.path,
        error,
      });
      const afterMs = backoffMs(file.attempts + 1, REPORT_BACKOFF, context.random);
      await postponeMissingReport(database, leadership, row, afterMs);
      return;
    }
    // A record that is gone cannot look present either.
  }
  await recordMissingReported(database, leadership, row, REPORTED);
}

/**
 * Tells iconik of missing files (reference C.3: PATCH by storage and path). The row remembers whether iconik was told, so a
 * report is repeated after a crash and never lost; repeating it changes nothing. What is left or put off comes with a later
 * round: only the rows know, since an answer that says that some became missing can get lost.
 */
export async function reportMissing(context: MissingReportContext): Promise<void> {
  for (const file of await unreportedMissing(context.database, context.storageId, REPORTS_PER_ROUND)) {
    await reportOne(context, file);
  }
}
