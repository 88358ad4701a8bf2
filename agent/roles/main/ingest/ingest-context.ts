import type { IconikIds, IngestRow } from '../../../db/queries/ingest.ts';
import { checkpointIngest } from '../../../db/queries/ingest.ts';
import type { IconikApi, Storage } from '../../../iconik/api.ts';
import type { CreateOnce, Creation } from '../../../iconik/creation/create-once.ts';
import type { Leadership } from '../../../leader/leadership.ts';
import type { Logger } from '../../../runtime/logger.ts';
import type { Database } from '../../../runtime/sql.ts';
import type { EnqueueJobs } from '../scan/checksum-orders.ts';

/** What the steps of one file work with, under one leadership. */
export interface IngestContext {
  database: Database;
  api: IconikApi;
  createOnce: CreateOnce;
  enqueueJobs: EnqueueJobs;
  leadership: Leadership;
  storage: Storage;
  log: Logger;
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

/** Creates one thing under the current leadership. */
export function createFenced(
  context: IngestContext,
  creation: Pick<Creation, 'kind' | 'key' | 'create' | 'find'>,
): Promise<string> {
  const { leadership } = context;
  return context.createOnce({
    ...creation,
    fence: { kind: 'leader', term: leadership.term, runId: leadership.runId },
    assertAllowed: () => leadership.assertTrusted(),
  });
}

/** A creation that may have to be repeated because iconik lost what an earlier one made. */
export interface LivingCreation extends Pick<Creation, 'kind' | 'key' | 'find'> {
  create(signal: AbortSignal): Promise<{ id: string }>;
  /** Whether an id of an earlier creation may still be used. */
  isUsable(id: string): Promise<boolean>;
}

/** How often a thing may have been deleted and made again before we stop believing the answers. */
const MAX_GENERATIONS = 50;

/**
 * Creates a thing once for each of its lives. An intent remembers its id for ever; when the user has deleted the thing in
 * iconik since, the next life gets a key of its own, derived from the id that is gone, so that every node and every
 * attempt comes to the same key without remembering anything.
 */
export async function createLiving(context: IngestContext, creation: LivingCreation): Promise<string> {
  const { kind, find } = creation;
  let key = creation.key;
  for (let generation = 0; generation < MAX_GENERATIONS; generation += 1) {
    let fresh: string | undefined;
    const create = async (signal: AbortSignal) => {
      const made = await creation.create(signal);
      fresh = made.id;
      return made;
    };
    const id = await createFenced(context, { kind, key, create, find });
    if (id === fresh || (await creation.isUsable(id))) return id;
    key = `${creation.key}!after:${id}`;
  }
  throw new Error(`"${creation.key}" was created ${MAX_GENERATIONS} times and never stayed.`);
}
