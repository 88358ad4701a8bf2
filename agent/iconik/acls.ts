import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Permissions of assets (reference C.15). */
export function createAcls(requests: ServiceRequests): IconikApi['acls'] {
  return {
    postTemplate: (templateId, assetId, limits) =>
      requests.write(
        { method: 'POST', path: servicePath('acls', ['acl', 'templates', templateId, 'assets', assetId]) },
        limits,
      ),
    putGroup: (groupId, assetId, permissions, limits) =>
      requests.write(
        {
          method: 'PUT',
          path: servicePath('acls', ['groups', groupId, 'acl', 'assets', assetId]),
          body: { permissions: [...permissions] },
        },
        limits,
      ),
  };
}
