import type { IconikIds, IngestRow } from '../../../db/queries/ingest.ts';
import { checkpointIngest } from '../../../db/queries/ingest.ts';
import type { IconikApi, Storage } from '../../../iconik/api.ts';
import type { CreationRight } from '../../../iconik/creation/create-living.ts';
import type { CreateOnce, Creation } from '../../../iconik/creation/create-once.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import type { StorageAccess } from '../../../storage/storage-access.ts';
import type { EnqueueJobs } from '../scan/checksum-orders.ts';
import type { TranscoderProfiles } from '../transcoders/transcoder-profiles.ts';

/** Collections known under one leadership, id by external id. */
export type KnownCollections = Map<string, string>;

/** What the steps of one file work with, under one leadership. */
export interface IngestContext {
  database: Database;
  api: IconikApi;
  createOnce: CreateOnce;
  enqueueJobs: EnqueueJobs;
  transcoders: TranscoderProfiles;
  leadership: Leadership;
  storage: Storage;
  /** The storage's files; null where only the index is known. */
  access: StorageAccess | null;
  log: Logger;
  /** Collections known under this leadership. */
  collections: KnownCollections;
  /** Warns once under this leadership of what concerns many files alike. */
  sayOnce(key: string, message: string, fields: Record<string, unknown>): void;
}

/** The row's content changed while it was ingested: the scan or the checksum has taken it back; nothing more to do now. */
export const CONTENT_CHANGED = Symbol('content changed');

/** Commits where a row stands and answers it as it is now, or that its content changed meanwhile. */
export async function checkpoint(
  context: IngestContext,
  row: IngestRow,
  next: Partial<IconikIds & Pick<IngestRow, 'state'>>,
): Promise<IngestRow | typeof CONTENT_CHANGED> {
  const after = { ...row, ...next };
  const isStored = await checkpointIngest(context.database, context.leadership, row, after);
  return isStored ? after : CONTENT_CHANGED;
}

/** A leader creates under its term, while it is trusted. */
export function leaderRight({ leadership }: IngestContext): CreationRight {
  return {
    fence: () => ({ kind: 'leader', term: leadership.term, runId: leadership.runId }),
    assertAllowed: () => leadership.assertTrusted(),
  };
}

/** Creates one thing under the current leadership. */
export function createFenced(
  context: IngestContext,
  creation: Pick<Creation, 'kind' | 'key' | 'create' | 'find'>,
): Promise<string> {
  const right = leaderRight(context);
  return context.createOnce({ ...creation, fence: right.fence(), assertAllowed: () => right.assertAllowed() });
}
