import { z } from 'zod';
import type { RecordJob } from '../../../db/queries/job-origin.ts';

// By which way the bytes of a transfer go: through iconik's cloud (the plan as it is), directly from the gateway that holds
// them, or by a temporary file set. Pure. What iconik's fields mean here: agent/roles/transfer/direct/README.md.

const downloadFields = z.object({
  original_url: z.string().nullish().catch(null),
  temporary_file_set_source: z.boolean().nullish().catch(null),
});

/** The planned download of a `transfers_to` record as the kind of job that its source needs. */
export function routeDownload(planned: RecordJob, record: { id: string }): RecordJob {
  const { original_url: originalUrl, temporary_file_set_source: isRelayed } = downloadFields.parse(record);
  if (isRelayed) return onRoute(withoutDeletion(planned), 'relay-download', {});
  return originalUrl ? onRoute(planned, 'direct-download', { transferId: record.id, originalUrl }) : planned;
}

/** The file set of the record is the temporary one, which goes in any case: of the source it says nothing. */
function withoutDeletion(planned: RecordJob): RecordJob {
  const { deleteSource, ...payload } = planned.job.payload;
  if (!deleteSource) return planned;
  const warning = [payload.warning, SOURCE_UNKNOWN].filter(Boolean).join(' ');
  return { ...planned, job: { ...planned.job, payload: { ...payload, warning } } };
}

const SOURCE_UNKNOWN =
  'The copy was made, but the source was kept: it came by a temporary file set, and the order does not say which file set it is of. Delete it in iconik.';

const uploadFields = z.object({ destination_storage_method: z.string().nullish().catch(null) });

/** The planned upload of a `transfers_from` record: what goes to the storage of another gateway is relayed. */
export function routeUpload(planned: RecordJob, record: { id: string }): RecordJob {
  const { destination_storage_method: method } = uploadFields.parse(record);
  if (method?.toUpperCase() !== 'FILE') return planned;
  const { origin, payload } = planned.job;
  const { otherFiles, deleteLocal } = relayedTerms.parse(payload);
  if (!planned.failure && otherFiles.length > 0)
    return { ...planned, failure: { code: 'job-payload-invalid', message: ONE_FILE_ONLY, retry: 'permanent' } };
  const { iconikJobId } = origin;
  return onRoute(planned, 'relay-upload', {
    relayId: record.id,
    ...(iconikJobId ? { iconikJobId } : {}),
    ...(deleteLocal ? { warning: SOURCE_KEPT } : {}),
  });
}

/** What of an upload's payload a relay cannot do. */
const relayedTerms = z.looseObject({
  otherFiles: z.array(z.unknown()).default([]),
  deleteLocal: z.boolean().optional(),
});

const SOURCE_KEPT =
  'The file was sent on its way, but the source was kept: this node does not see the copy that the other gateway makes. Delete it in iconik once it is there.';

const ONE_FILE_ONLY =
  'The file set holds several files, and a transfer through the cloud to another gateway takes one: nothing was sent. Order the files one by one, or give the gateway that holds them a Direct Transfer Address in iconik.';

function onRoute(planned: RecordJob, kind: string, more: Record<string, unknown>): RecordJob {
  if (planned.failure) return planned;
  return { ...planned, job: { ...planned.job, kind, payload: { ...planned.job.payload, ...more } } };
}
