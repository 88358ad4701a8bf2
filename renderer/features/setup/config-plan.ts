import type { ConfigEntry } from '../../../preload/contract/bridge.ts';
import type { SetupState } from './setup-state.ts';

/** What stands for a secret on the screen. */
export const MASKED = '••••••••';

/** One line that will be written to config.ini. */
export interface ConfigLine {
  key: string;
  /** As shown: secrets masked. */
  shown: string;
  /** What it replaces, in words; null when the key is new or stays the same. */
  replaces: string | null;
}

/** The keys that the assistant writes, for `config.write`. Everything else in the file stays as it is. */
export function configChanges({ account, gatewayId }: SetupState): Record<string, string> {
  return {
    'iconik-url': account.iconikUrl.trim(),
    'app-id': account.appId.trim(),
    'auth-token': account.authToken.trim(),
    'storage-gateway-id': gatewayId ?? '',
  };
}

/** What `configChanges` will write, line by line, with the token masked, beside what the file says now. */
export function configLines(state: SetupState, entries: readonly ConfigEntry[]): ConfigLine[] {
  const lines = Object.entries(configChanges(state));
  const written = state.tokenPlace === 'file' ? lines : lines.filter(([key]) => key !== 'auth-token');
  return written.map(([key, value]) => {
    const now = entries.find((entry) => entry.key === key);
    if (key === 'auth-token') return { key, shown: MASKED, replaces: now?.isSet ? 'the token that is set' : null };
    const replaces = now?.isSet && now.value !== null && now.value !== value ? now.value : null;
    return { key, shown: value, replaces };
  });
}
