import type { IconikApi } from '../../../iconik/api.ts';
import { IsgError } from '../../../runtime/errors.ts';
import { directPath } from './direct-request-plan.ts';

/** A transfer whose bytes another gateway holds. */
export interface DirectOrder {
  transferId: string;
  /** Storage that receives the files. */
  storageId: string;
  /** Direct Transfer Address of the gateway that holds them. */
  originalUrl: string;
}

/** The origin of a Direct Transfer Address. Throws (permanent) for what is not HTTPS, without a path or with a user. */
export function directOrigin(originalUrl: string): string {
  const url = URL.parse(originalUrl);
  if (url?.protocol === 'https:' && url.username === '' && url.password === '') return url.origin;
  const message =
    'The Direct Transfer Address of the gateway that holds the file is not an https address; nothing was fetched. Correct it in iconik, for example https://10.1.2.3:8443.';
  throw new IsgError('download-refused', message, { retry: 'permanent' });
}

/**
 * The client with the files of this order's file set at the other gateway: each answer signs anew. The link's signature goes
 * to the gateway that the order names and to nobody else: a link to another host is refused.
 */
export function atOtherGateway(api: IconikApi, order: DirectOrder): IconikApi {
  const origin = directOrigin(order.originalUrl);
  return {
    ...api,
    files: {
      ...api.files,
      fileSetFiles: async (assetId, fileSetId, limits) => {
        const records = await api.files.fileSetFiles(assetId, fileSetId, limits);
        const link = URL.parse(await api.transfers.signedUrl(order.transferId, limits));
        const userId = link?.searchParams.get('user_id');
        const signature = link?.searchParams.get('signature');
        if (link?.origin !== origin || !userId || !signature) throw strangeLink();
        const query = new URLSearchParams({ user_id: userId, signature }).toString();
        return records.map((record) => ({
          ...record,
          url: `${origin}${directPath(order.transferId, order.storageId, record.id)}?${query}`,
        }));
      },
    },
  };
}

function strangeLink(): IsgError {
  const message =
    'iconik gave a link for the direct transfer that is not for the gateway of the order, or lacks its signature; it will be asked again.';
  return new IsgError('iconik-answer-unreadable', message, { retry: 'transient' });
}
