import type { PlainConfigValues, SecretKey } from '../contract/index.ts';
import { Secret } from './secret.ts';

/** Values of all keys after parsing, secrets wrapped. */
export type ConfigValues = Omit<PlainConfigValues, SecretKey> & {
  'auth-token': Secret;
  'db-connection-uri': Secret | undefined;
};

/** Wraps the secrets, so that nothing prints them by accident. */
export function wrapSecrets(values: PlainConfigValues): ConfigValues {
  const uri = values['db-connection-uri'];
  return {
    ...values,
    'auth-token': new Secret(values['auth-token']),
    'db-connection-uri': uri === undefined ? undefined : new Secret(uri),
  };
}
