import { aclHandlers } from './acls.ts';
import { assetHandlers } from './assets.ts';
import type { Handlers } from './call.ts';
import { collectionHandlers } from './collections.ts';
import { derivativeHandlers } from './derivatives.ts';
import { fileHandlers } from './files.ts';
import { formatHandlers } from './formats.ts';
import { gatewayHandlers } from './gateways.ts';
import { jobHandlers } from './jobs.ts';
import { metadataHandlers } from './metadata.ts';
import { multipartHandlers } from './multipart.ts';
import { queueHandlers } from './queues.ts';
import { relayHandlers } from './relays.ts';
import { storageFileHandlers } from './storage-files.ts';
import { storageHandlers } from './storages.ts';
import { userHandlers } from './users.ts';

/** Every call that the stand-in imitates; published calls that are not here answer 501. */
export const handlers: Handlers = {
  ...aclHandlers,
  ...assetHandlers,
  ...collectionHandlers,
  ...derivativeHandlers,
  ...fileHandlers,
  ...formatHandlers,
  ...gatewayHandlers,
  ...jobHandlers,
  ...metadataHandlers,
  ...multipartHandlers,
  ...queueHandlers,
  ...relayHandlers,
  ...storageFileHandlers,
  ...storageHandlers,
  ...userHandlers,
};
