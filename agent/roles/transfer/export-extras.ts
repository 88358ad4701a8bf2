import type { IconikApi } from '../../iconik/api.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import { IsgError } from '../../runtime/errors.ts';
import type { DownloadItem } from './download-plan.ts';
import { type ExportPlan, metadataText, planExport } from './export-plan.ts';

/** The part of a download's payload that names extras. */
export interface ExtrasPayload {
  assetId: string;
  versionId?: string | null | undefined;
  destinationDirectoryPath: string;
  includeOriginalExtension?: boolean | undefined;
  exportProxy?: boolean | undefined;
  exportPosters?: boolean | undefined;
  exportMetadata?: { format: string; viewId: string } | undefined;
}

type Context = Pick<JobContext<ExtrasPayload>, 'payload' | 'job' | 'signal'>;

/** Plans what an export adds; `originalName` names the copy of the original, or what stands for it. */
export async function planExtras(api: IconikApi, context: Context, originalName: string): Promise<ExportPlan> {
  const { payload, job } = context;
  const { assetId } = payload;
  const limits = { signal: context.signal };
  const wanted = {
    proxy: payload.exportProxy ?? false,
    posters: payload.exportPosters ?? false,
    metadata: payload.exportMetadata ?? null,
  };
  if (!wanted.proxy && !wanted.posters && !wanted.metadata) return { items: [], absent: [] };
  const order = {
    ...wanted,
    jobId: job.jobId,
    versionId: payload.versionId ?? null,
    destinationDirectoryPath: payload.destinationDirectoryPath,
    originalName,
    includeOriginalExtension: payload.includeOriginalExtension ?? false,
  };
  return planExport(order, {
    proxies: wanted.proxy ? await api.proxies.list(assetId, limits) : [],
    keyframes: wanted.posters ? await api.keyframes.list(assetId, limits) : [],
  });
}

/** Signed URL of a proxy or poster, fresh each time. */
export async function urlOfExtra(api: IconikApi, context: Context, item: DownloadItem): Promise<string> {
  const { assetId } = context.payload;
  const limits = { signal: context.signal };
  if (item.from === 'proxy') return await api.proxies.downloadUrl(assetId, item.recordId, limits);
  const { url } = await api.keyframes.get(assetId, item.recordId, limits);
  if (url) return url;
  const message = `iconik gave no download URL for the poster ${item.finalPath}; it will be asked again.`;
  throw new IsgError('iconik-answer-unreadable', message, { retry: 'transient' });
}

/** The metadata that an order exports, as text. */
export async function textOfMetadata(api: IconikApi, context: Context, item: DownloadItem): Promise<string> {
  const { payload, signal } = context;
  const values = await api.metadata.assetValues(payload.assetId, item.recordId, { signal });
  return metadataText(payload.exportMetadata?.format ?? 'JSON', values);
}
