import { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';
import type { IconikApi } from './api.ts';
import { b2StartSchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Path of one of the B2 calls of a file record. */
type PathOf = (assetId: string, fileId: string, call: 'start' | 'finish' | 'cancel') => string;

/** Large files on B2 (reference C.9; that `start` takes a known id to give another upload URL is read from its schema). */
export function createB2Files(
  requests: ServiceRequests,
  pathOf: PathOf,
): Pick<IconikApi['files'], 'startB2' | 'finishB2' | 'cancelB2'> {
  return {
    async startB2(assetId, fileId, { uploadFileId, temporary }, limits) {
      const path = pathOf(assetId, fileId, 'start');
      const query = { temporary: temporary || null };
      const schema = b2StartSchema;
      const answer =
        uploadFileId === null
          ? await requests.create(path, { schema, body: {}, limits, query })
          : await requests.ask({ path, body: { upload_file_id: uploadFileId }, query }, { schema, limits });
      const { upload_url: uploadUrl, authorization_token: authorizationToken } = answer;
      const id = answer.upload_file_id || uploadFileId;
      if (id && uploadUrl && authorizationToken) return { uploadFileId: id, uploadUrl, authorizationToken };
      const why = answer.error_code || answer.error || 'no upload URL in the answer';
      const message = `iconik could not get an upload URL from B2 (${why}); it will be asked again.`;
      throw new IsgError('upload-refused', message, { retry: 'transient' });
    },
    async finishB2(assetId, fileId, { uploadFileId, sha1s, temporary }, limits) {
      const body = { upload_file_id: uploadFileId, sha1_list: sha1s };
      await requests.create(pathOf(assetId, fileId, 'finish'), {
        schema: z.unknown(),
        body,
        limits,
        query: { temporary: temporary || null },
      });
    },
    cancelB2: (assetId, fileId, uploadFileId, limits) =>
      requests.write(
        { method: 'POST', path: pathOf(assetId, fileId, 'cancel'), body: { upload_file_id: uploadFileId } },
        limits,
      ),
  };
}
