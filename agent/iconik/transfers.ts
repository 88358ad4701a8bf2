import { z } from 'zod';
import { IsgError } from '../runtime/errors.ts';
import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { keysetList } from './paging.ts';
import { fileSchema, fileSetSchema, transferToSchema } from './schemas.ts';
import { exceptGone, isNotFound, type ServiceRequests } from './service-requests.ts';

const signedUrlSchema = z.looseObject({ url: z.string().min(1) });
/** A list without paging: the published call knows neither `per_page` nor `last_id`. */
const filesSchema = z.looseObject({ objects: z.array(fileSchema) });
const anything = z.unknown();

const transferPath = (...more: string[]) => servicePath('files', ['transfers', ...more]);
const assetPath = (...more: string[]) => servicePath('files', ['assets', ...more]);

/** Answers of iconik that say that a signature is not good, as opposed to trouble in asking. */
const REFUSALS = new Set([400, 403, 404]);

/** Transfers from gateway to gateway: signed links, and temporary files for relays (reference A.8, C.13). */
export function createTransfers(requests: ServiceRequests): IconikApi['transfers'] {
  return {
    async transferTo(storageId, transferId, limits) {
      const path = servicePath('files', ['storages', storageId, 'transfers_to', transferId]);
      try {
        return await requests.read(path, transferToSchema, { limits });
      } catch (error) {
        if (isNotFound(error)) return null;
        throw error;
      }
    },
    async signedUrl(transferId, limits) {
      const request = { path: transferPath(transferId, 'urls'), body: undefined };
      return (await requests.ask(request, { schema: signedUrlSchema, limits })).url;
    },
    async isSignatureGood(transferId, { userId, signature }, limits) {
      const query = { user_id: userId, signature };
      try {
        await requests.read(transferPath(transferId, 'urls', 'verify'), anything, { query, limits });
        return true;
      } catch (thrown) {
        if (!(thrown instanceof IsgError) || thrown.fields.fromIconik !== true) throw thrown;
        if (REFUSALS.has(Number(thrown.fields.status))) return false;
        throw thrown;
      }
    },
    createTemporaryFileSet: (assetId, body, limits) =>
      requests.create(assetPath(assetId, 'temporary_file_sets'), { schema: fileSetSchema, body, limits }),
    createTemporaryFile: (assetId, body, limits) =>
      requests.create(assetPath(assetId, 'temporary_files'), { schema: fileSchema, body, limits }),
    patchTemporaryFile: (assetId, fileId, body, limits) =>
      requests.write({ method: 'PATCH', path: assetPath(assetId, 'temporary_files', fileId), body }, limits),
    async temporaryFiles(assetId, fileSetId, limits) {
      const path = assetPath(assetId, 'temporary_file_sets', fileSetId, 'files');
      return (await requests.read(path, filesSchema, { query: { generate_signed_url: true }, limits })).objects;
    },
    temporaryFilesOn: (storageId, limits) => {
      const path = servicePath('files', ['storages', storageId, 'temporary_files']);
      return keysetList({ requests, path, schema: fileSchema, limits, unreadable: 'throw', missing: 'empty' });
    },
    deleteTemporaryFileSet: (assetId, fileSetId, limits) => {
      const path = assetPath(assetId, 'temporary_file_sets', fileSetId);
      const query = { delete_cloud_objects: true };
      return requests.write({ method: 'DELETE', path, query }, limits).catch(exceptGone);
    },
    async createExport({ fileSetId, storageId }, body, limits) {
      const path = servicePath('files', ['exports', 'temporary_file_sets', fileSetId, 'storages', storageId]);
      await requests.create(path, { schema: anything, body, limits });
    },
  };
}
