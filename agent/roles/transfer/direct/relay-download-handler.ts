import { z } from 'zod';
import type { NewJob } from '../../../contract/index.ts';
import { isUnfinished } from '../../../db/queries/download-remains.ts';
import type { IconikApi } from '../../../iconik/api.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../../jobs/job-handler.ts';
import type { Sql } from '../../../runtime/sql.ts';
import type { DownloadDeps } from '../download-handler.ts';
import { downloadBy } from './direct-download-handler.ts';

const id = z.string().min(1);

/** Data of a `relay-download` job: that of a download (parsed by its handler), whose source is a temporary file set. */
const relayDownloadSchema = z.looseObject({ storageId: id, assetId: id, sourceFileSetId: id });
type RelayDownload = z.infer<typeof relayDownloadSchema>;

/** What the second leg of relays needs. */
export interface RelayDownloadDeps extends DownloadDeps {
  enqueueJobs(sql: Sql, jobs: readonly NewJob[]): Promise<unknown>;
}

/**
 * Kind `relay-download`: the second leg of a relay (README.md). The temporary file set is removed by a job that commits with
 * the end of this one, so it is there for as long as anybody may need it, and goes even when this node dies right then.
 */
export function createRelayDownloadHandler(deps: RelayDownloadDeps): JobHandler<RelayDownload> {
  return {
    role: 'TRANSFER',
    kind: 'relay-download',
    payload: relayDownloadSchema,
    run: async (context) => {
      const outcome = await downloadBy({ ...deps, api: fromTemporary(deps.api) }, context);
      return withCleanUp(deps, context, outcome);
    },
  };
}

/** The client with temporary file sets where downloads look for file sets. */
function fromTemporary(api: IconikApi): IconikApi {
  const fileSetFiles: IconikApi['files']['fileSetFiles'] = (assetId, fileSetId, limits) =>
    api.transfers.temporaryFiles(assetId, fileSetId, limits);
  return { ...api, files: { ...api.files, fileSetFiles } };
}

/** A transfer that ended for good, well or not, needs its temporary files no more. */
function withCleanUp(deps: RelayDownloadDeps, context: JobContext<RelayDownload>, outcome: JobOutcome): JobOutcome {
  if (outcome.kind !== 'done' && outcome.kind !== 'failed') return outcome;
  const { storageId, assetId, sourceFileSetId } = context.payload;
  return {
    ...outcome,
    alongside: async (sql) => {
      await outcome.alongside?.(sql);
      await deps.enqueueJobs(sql, [
        {
          role: 'TRANSFER',
          kind: 'relay-cleanup',
          storageId,
          payload: { assetId, fileSetId: sourceFileSetId },
          dedupeKey: `relay-cleanup:${sourceFileSetId}`,
        },
      ]);
    },
  };
}

const cleanUpSchema = z.looseObject({
  assetId: id,
  fileSetId: id,
  /** The leg that ended without removing the set; while it runs again the set is its own. */
  jobId: id.optional(),
});

/** Kind `relay-cleanup`: removes a temporary file set with its objects in the cloud. Repeating it changes nothing. */
export function createRelayCleanUpHandler(deps: {
  api: Pick<IconikApi, 'transfers'>;
  sql: Sql;
}): JobHandler<z.infer<typeof cleanUpSchema>> {
  return {
    role: 'TRANSFER',
    kind: 'relay-cleanup',
    payload: cleanUpSchema,
    run: async (context) => {
      const { payload, signal } = context;
      await context.confirmLease();
      if (payload.jobId && (await isUnfinished(deps.sql, payload.jobId)))
        return { kind: 'done', result: { resumed: true } };
      await deps.api.transfers.deleteTemporaryFileSet(payload.assetId, payload.fileSetId, { signal });
      return { kind: 'done', result: {} };
    },
  };
}
