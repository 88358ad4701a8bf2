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
  if (isRelayed) return onRoute(planned, 'relay-download', {});
  return originalUrl ? onRoute(planned, 'direct-download', { transferId: record.id, originalUrl }) : planned;
}

const uploadFields = z.object({ destination_storage_method: z.string().nullish().catch(null) });

/** The planned upload of a `transfers_from` record: what goes to the storage of another gateway is relayed. */
export function routeUpload(planned: RecordJob, record: { id: string }): RecordJob {
  const { destination_storage_method: method } = uploadFields.parse(record);
  if (method?.toUpperCase() !== 'FILE') return planned;
  const { iconikJobId } = planned.job.origin;
  return onRoute(planned, 'relay-upload', { relayId: record.id, ...(iconikJobId ? { iconikJobId } : {}) });
}

function onRoute(planned: RecordJob, kind: string, more: Record<string, unknown>): RecordJob {
  if (planned.failure) return planned;
  return { ...planned, job: { ...planned.job, kind, payload: { ...planned.job.payload, ...more } } };
}
