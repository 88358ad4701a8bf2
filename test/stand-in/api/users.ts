import type { Handlers } from './call.ts';

/** The user behind the token. */
export const userHandlers: Handlers = {
  'GET /API/users/v1/users/current/': ({ state }) => ({
    status: 200,
    body: {
      id: state.account.userId,
      first_name: 'Storage',
      last_name: 'Gateway',
      type: 'POWER',
      status: 'ACTIVE',
      is_admin: true,
    },
  }),
};
