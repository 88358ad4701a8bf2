import type { UnreportedMissing } from '../../../db/queries/storage-file.ts';
import { postponeMissingReport, recordMissingReported, unreportedMissing } from '../../../db/queries/storage-file.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import { backoffMs } from '../../../runtime/backoff.ts';
import { coerceError, type ErrorRecord } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';
import { isGone } from './absence.ts';

/** Reports of one round; the rest follows in the next, so that a mass deletion does not stop the scans. */
const REPORTS_PER_ROUND = 200;
const REPORT_BACKOFF = { baseMs: 2000, capMs: 60_000 };

/** What the report works with. */
export interface MissingReportContext {
  database: Database;
  api: { storages: Pick<IconikApi['storages'], 'patchFileAt'> };
  leadership: Leadership;
  storageId: string;
  access: Pick<StorageAccess, 'stat'>;
  /** Whether the root is the right one: a share that went away shows no file at all. */
  isRootRight(): Promise<boolean>;
  log: Logger;
  random: () => number;
}

const REPORTED: ErrorRecord = {
  code: 'file-not-found',
  message:
    'The file is gone from the storage; iconik shows it as MISSING. Put it back, or clear missing files in iconik.',
  retry: 'transient',
};

/** Whether the file is gone now too; one that came back has its report put off until a pass has taken it in. */
async function isStillGone(context: MissingReportContext, file: UnreportedMissing): Promise<boolean> {
  if (await isGone(context.access, file.path)) return true;
  await putOff(context, file);
  return false;
}

async function putOff(context: MissingReportContext, file: UnreportedMissing): Promise<void> {
  const { database, leadership, storageId } = context;
  const afterMs = backoffMs(file.attempts + 1, REPORT_BACKOFF, context.random);
  await postponeMissingReport(database, leadership, { storageId, pathKey: file.pathKey }, afterMs);
}

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
      await putOff(context, file);
      return;
    }
    // A record that is gone cannot look present either.
  }
  await recordMissingReported(database, leadership, row, REPORTED);
}

/**
 * Tells iconik of missing files (reference C.3: PATCH by storage and path). The row remembers whether iconik was told, so a
 * report is repeated after a crash and never lost; repeating it changes nothing. What is left or put off comes with a later
 * round: only the rows know, since an answer that says that some became missing can get lost. The storage is asked again
 * right before each report: what came back meanwhile is not reported, nor is anything while the storage is in doubt.
 */
export async function reportMissing(context: MissingReportContext): Promise<void> {
  const files = await unreportedMissing(context.database, context.storageId, REPORTS_PER_ROUND);
  if (files.length === 0) return;
  try {
    if (!(await context.isRootRight())) return;
    for (const file of files) if (await isStillGone(context, file)) await reportOne(context, file);
  } catch (thrown) {
    const error = coerceError(thrown);
    if (!error.code.startsWith('storage-')) throw error;
    context.log.debug('missing files are not reported while the storage is in doubt', { error });
  }
}
