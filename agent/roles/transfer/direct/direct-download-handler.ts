import { z } from 'zod';
import { derivedContext } from '../../../jobs/derived-context.ts';
import type { JobContext, JobHandler, JobOutcome } from '../../../jobs/job-handler.ts';
import { IsgError } from '../../../runtime/errors.ts';
import { createDownloadHandler, type DownloadDeps } from '../download-handler.ts';
import { filesToFetch } from '../download-plan.ts';
import { atOtherGateway, directOrigin } from './direct-source.ts';
import type { GatewayReach } from './probe-gateway.ts';

const id = z.string().min(1);

/** Data of a `direct-download` job: that of a download (parsed by its handler), and where the bytes are. */
const directPayloadSchema = z.looseObject({
  storageId: id,
  assetId: id,
  sourceFileSetId: id,
  transferId: id,
  originalUrl: id,
});

type DirectPayload = z.infer<typeof directPayloadSchema>;

/** What direct downloads need. */
export interface DirectDownloadDeps extends DownloadDeps {
  /** Never throws. */
  probe(origin: string, signal: AbortSignal): Promise<GatewayReach>;
}

/** A gateway that is away is looked for again after this, and each time so much later: a restart of it takes minutes. */
const AWAY_MS = 30_000;

/**
 * Kind `direct-download`: a download whose bytes come from another gateway (README.md). When that gateway does not answer,
 * the copy that iconik has of the files in the cloud is taken if there is one of each; otherwise it is tried again.
 */
export function createDirectDownloadHandler(deps: DirectDownloadDeps): JobHandler<DirectPayload> {
  return {
    role: 'TRANSFER',
    kind: 'direct-download',
    payload: directPayloadSchema,
    run: (context) => runDirect(deps, context),
  };
}

async function runDirect(deps: DirectDownloadDeps, context: JobContext<DirectPayload>): Promise<JobOutcome> {
  const { payload, signal } = context;
  const origin = directOrigin(payload.originalUrl);
  const reach = await deps.probe(origin, signal);
  signal.throwIfAborted();
  if (reach.kind === 'reachable') return await downloadBy({ ...deps, api: atOtherGateway(deps.api, payload) }, context);
  const files = filesToFetch(await deps.api.files.fileSetFiles(payload.assetId, payload.sourceFileSetId, { signal }));
  if (files.length > 0 && files.every((record) => record.url !== null)) {
    context.log.info('The gateway that holds the files does not answer; they are fetched from the cloud.', { origin });
    return await downloadBy(deps, context);
  }
  const message = `The gateway at ${origin}, which holds the files, cannot be reached: ${reach.why}. It is tried again; if it stays away, order the transfer anew after its Direct Transfer Address is removed in iconik, and it goes through the cloud.`;
  return {
    kind: 'retry',
    error: { code: 'download-refused', message, retry: 'transient' },
    afterMs: AWAY_MS * context.job.attempts,
  };
}

/** Runs the ordinary download, which parses what it needs of the payload itself. */
export async function downloadBy(deps: DownloadDeps, context: JobContext<unknown>): Promise<JobOutcome> {
  const download = createDownloadHandler(deps);
  const parsed = download.payload.safeParse(context.payload);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => issue.path.join('.')).join(', ');
    const message = `The order of the transfer is incomplete (${fields}).`;
    throw new IsgError('job-payload-invalid', message, { retry: 'permanent' });
  }
  return await download.run(derivedContext(context, { payload: parsed.data }));
}
