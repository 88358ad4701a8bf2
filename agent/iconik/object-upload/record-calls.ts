import type { IconikApi, UploadTarget } from '../api.ts';
import type { MultipartRecord, UploadRecord } from './upload-object.ts';

/** What iconik gives for the record of a multipart upload on S3 (reference C.9, C.10). */
export interface RecordCalls {
  multipartUrls(
    upload: { uploadId: string; type: 'complete_url' | 'abort_url' | 'list_parts_url' },
    signal: AbortSignal,
  ): Promise<{ complete_url: string | null; abort_url: string | null; list_parts_url: string[] }>;
  partUrls(
    upload: { uploadId: string; partsNum: number },
    signal: AbortSignal,
  ): Promise<{ number: number; url: string }[]>;
  /** Where the object can be read; null when iconik does not say. */
  downloadUrl(signal: AbortSignal): Promise<string | null>;
}

/** The record anew, its upload URL just signed. */
export function freshRecord(api: IconikApi, record: UploadRecord, signal: AbortSignal): Promise<UploadTarget> {
  const { assetId, fileId, kind = 'file' } = record;
  if (kind === 'keyframe') return api.keyframes.get(assetId, fileId, { signal });
  return kind === 'proxy'
    ? api.proxies.get(assetId, fileId, { signal })
    : api.files.getFile(assetId, fileId, { signal });
}

/** The calls for a file record or a proxy. */
export function recordCalls(api: IconikApi, { assetId, fileId, kind = 'file' }: MultipartRecord): RecordCalls {
  const shelf = kind === 'proxy' ? api.proxies : api.files;
  return {
    multipartUrls: (upload, signal) => shelf.multipartUrls(assetId, fileId, upload, { signal }),
    partUrls: (upload, signal) => shelf.multipartPartUrls(assetId, fileId, upload, { signal }),
    async downloadUrl(signal) {
      if (kind === 'proxy') return (await api.proxies.get(assetId, fileId, { signal })).url ?? null;
      const record = await api.files.getFile(assetId, fileId, { signal });
      if (!record.file_set_id) return record.url;
      const files = await api.files.fileSetFiles(assetId, record.file_set_id, { signal });
      return files.find((file) => file.id === fileId)?.url ?? record.url;
    },
  };
}
