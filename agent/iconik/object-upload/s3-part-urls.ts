import { IsgError } from '../../runtime/errors.ts';
import { base64OfHex, digestOfRange } from './object-source.ts';
import type { PlannedPart } from './part-plan.ts';
import { recordCalls } from './record-calls.ts';
import type { S3Deps, S3Session, S3Upload } from './s3-session.ts';

/** Where a part goes, with the headers that its signature or the storage demands. */
export interface PartPlace {
  url: string;
  headers: Record<string, string>;
}

/** Signed URLs of the parts of one multipart upload. */
export interface PartUrls {
  of(part: PlannedPart, signal: AbortSignal): Promise<PartPlace>;
  /** Another one, `stale` having run out. */
  renew(part: PlannedPart, stale: PartPlace, signal: AbortSignal): Promise<PartPlace>;
}

/**
 * URLs as iconik gives them (reference C.9): all parts at once, or one by one bound to the MD5 of the part where the storage
 * has `presign_md5_checksum`. Proxies have no bound URLs; theirs only get the header.
 */
export function createPartUrls(deps: S3Deps, upload: S3Upload, session: S3Session): PartUrls {
  const isBound = upload.wantsMd5 && upload.record.kind !== 'proxy';
  return isBound ? boundUrls(deps, upload, session) : listedUrls(deps, upload, session);
}

async function md5Of(upload: S3Upload, part: PlannedPart, signal: AbortSignal): Promise<string> {
  return base64OfHex(await digestOfRange(upload.source, part, 'md5', signal));
}

function boundUrls(deps: S3Deps, upload: S3Upload, session: S3Session): PartUrls {
  const { assetId, fileId } = upload.record;
  const sign = async (part: PlannedPart, md5Base64: string, signal: AbortSignal): Promise<PartPlace> => {
    const ask = { uploadId: session.uploadId, number: part.number, md5Base64 };
    const url = await deps.api.files.multipartBoundPartUrl(assetId, fileId, ask, { signal });
    return { url, headers: { 'content-md5': md5Base64 } };
  };
  return {
    of: async (part, signal) => await sign(part, await md5Of(upload, part, signal), signal),
    renew: (part, stale, signal) => sign(part, stale.headers['content-md5'] ?? '', signal),
  };
}

function listedUrls(deps: S3Deps, upload: S3Upload, session: S3Session): PartUrls {
  const fetchUrls = (): Promise<Map<number, string>> => {
    const { expected, args } = upload.source;
    const ask = { uploadId: session.uploadId, partsNum: Math.ceil(expected.sizeBytes / session.partSizeBytes) };
    const urls = recordCalls(deps.api, upload.record)
      .partUrls(ask, args.signal)
      .then((list) => new Map(list.map((entry) => [entry.number, entry.url])));
    // Each sender sees the rejection itself; this only keeps it from counting as unhandled before they look.
    urls.catch(() => undefined);
    return urls;
  };
  let urls = fetchUrls();
  const urlOf = async (part: PlannedPart): Promise<string> => {
    const url = (await urls).get(part.number);
    if (url) return url;
    const message = `iconik gave no URL for part ${part.number} of the upload; it will be asked again.`;
    throw new IsgError('upload-refused', message, { retry: 'transient' });
  };
  return {
    async of(part, signal) {
      const headers = upload.wantsMd5 ? { 'content-md5': await md5Of(upload, part, signal) } : {};
      return { url: await urlOf(part), headers };
    },
    async renew(part, stale) {
      // One fetch serves all: whoever sees the old set run out first replaces it.
      const seen = urls;
      const isStillStale = (await seen).get(part.number) === stale.url;
      if (isStillStale && urls === seen) urls = fetchUrls();
      return { ...stale, url: await urlOf(part) };
    },
  };
}
