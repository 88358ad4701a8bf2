import type { IconikApi } from '../api.ts';
import { cancelSavedUpload } from './b2-session.ts';
import { removeSavedComponents } from './gcs-clean-up.ts';
import { cancelSavedSession } from './gcs-resumable.ts';
import type { StoreDeps } from './object-store-http.ts';
import { abortSavedUpload } from './s3-session.ts';
import type { AbandonedUpload } from './upload-object.ts';

/**
 * Makes `UploadObject.abandon`. Each store looks for itself in the checkpoint. Azure has nothing to abandon by: it drops blocks
 * that are a week old.
 */
export function createAbandonUpload(deps: StoreDeps & { api: IconikApi }) {
  return async (upload: AbandonedUpload): Promise<void> => {
    const tries = [
      abortSavedUpload(deps, upload),
      cancelSavedSession(deps, upload),
      removeSavedComponents(deps, upload),
      cancelSavedUpload(deps.api, upload),
    ];
    // Ignored because nothing depends on it: the store's own rules clean up.
    await Promise.allSettled(tries);
  };
}
