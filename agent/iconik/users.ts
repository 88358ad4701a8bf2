import type { IconikApi } from './api.ts';
import { servicePath } from './http-call.ts';
import { userSchema } from './schemas.ts';
import type { ServiceRequests } from './service-requests.ts';

/** Users. */
export function createUsers(requests: ServiceRequests): IconikApi['users'] {
  return {
    async currentId(limits) {
      return (await requests.read(servicePath('users', ['users', 'current']), userSchema, { limits })).id;
    },
  };
}
