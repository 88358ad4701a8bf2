import type { ConfigStore, ConfigWritten } from '../../agent/config-file/config-store.ts';
import type { ConfigChanges } from '../../agent/config-file/edit-config-text.ts';
import { type ConfigKey, checkConfigValue, waitingKeys } from '../../agent/contract/index.ts';
import type { BridgeAnswer, BridgeParams, TokenPlace } from '../../preload/contract/bridge.ts';
import { AppError } from '../support/app-error.ts';
import type { TokenVault } from './token-vault.ts';

/**
 * What the window may know and change of config.ini: the file, and the token, which may be kept in the system's key store in
 * its place. A token that stands in the file counts before a kept one.
 */
export interface ConfigDesk {
  read(): Promise<BridgeAnswer<'config.read'>>;
  write(params: BridgeParams<'config.write'>): Promise<ConfigWritten>;
  restore(): Promise<void>;
  /** The agent starts now: what stands in the file from now on is what it knows. */
  noteAgentStart(): Promise<void>;
}

type Write = { changes: ConfigChanges; seen?: Readonly<Record<string, string>> | undefined };

const TOKEN = 'auth-token' satisfies ConfigKey;

/** Opens the desk; touches nothing yet. */
export function createConfigDesk(store: ConfigStore, vault: TokenVault): ConfigDesk {
  let agentKnows: ReadonlyMap<string, string> | null = null;
  const withToken = async (): Promise<ReadonlyMap<string, string>> => {
    const values = await store.readValues();
    const kept = values.has(TOKEN) ? null : vault.read();
    return kept === null ? values : new Map([...values, [TOKEN, kept]]);
  };
  return {
    read: async () => {
      const [entries, { warnings, status }, values] = await Promise.all([
        store.readEntries(),
        store.check(),
        withToken(),
      ]);
      const isTokenInFile = entries.some(({ key, isSet }) => key === TOKEN && isSet);
      return {
        path: store.path,
        entries: entries.map((entry) =>
          entry.key === TOKEN ? { ...entry, isSet: isTokenInFile || vault.has() } : entry,
        ),
        warnings,
        waiting: agentKnows === null ? [] : waitingKeys(agentKnows, values),
        lastGoodMs: status === 'ok' ? null : await store.lastGoodMs(),
        token: tokenPlace(isTokenInFile, vault),
      };
    },
    write: async ({ changes, seen, tokenPlace: wanted }) => {
      const isTokenInFile = (await store.readValues()).has(TOKEN);
      const place = wanted ?? (!isTokenInFile && vault.has() ? 'key-store' : 'file');
      return place === 'key-store'
        ? intoKeyStore({ changes, seen }, store, vault)
        : intoFile({ changes, seen }, store, vault);
    },
    restore: () => store.restore(),
    noteAgentStart: async () => {
      agentKnows = await withToken();
    },
  };
}

function tokenPlace(isInFile: boolean, vault: TokenVault): TokenPlace {
  const hindrance = vault.hindrance();
  const isLost = !isInFile && vault.has() && vault.read() === null;
  const lost = 'The token in the key store of this system cannot be read any more. Enter it again.';
  return {
    place: isInFile ? 'file' : vault.has() ? 'key-store' : 'none',
    canUseKeyStore: hindrance === '',
    why: isLost ? lost : hindrance,
  };
}

// First into the key store, then out of the file: a crash in between leaves the token in both, and never in none.
async function intoKeyStore({ changes, seen }: Write, store: ConfigStore, vault: TokenVault): Promise<ConfigWritten> {
  const typed = changes[TOKEN];
  if (typed === null) {
    const written = await store.write(changes, seen);
    if (isWritten(written)) await vault.remove();
    return written;
  }
  const problem = typed === undefined ? null : checkConfigValue(TOKEN, typed);
  if (problem !== null) return { problems: [`${TOKEN} ${problem}`], conflicts: [] };
  const before = vault.has() ? vault.read() : null;
  const token = typed ?? (await store.readValues()).get(TOKEN);
  if (token === undefined) {
    if (vault.has()) return store.write(changes, seen);
    return { problems: [`${TOKEN} is missing: enter it to keep it in the key store`], conflicts: [] };
  }
  await vault.write(token);
  const written = await store.write({ ...changes, [TOKEN]: null }, seen).catch(async (thrown: unknown) => {
    await putBack(vault, before);
    throw thrown;
  });
  if (isWritten(written)) await store.removeFromCopies(TOKEN);
  else await putBack(vault, before);
  return written;
}

async function intoFile({ changes, seen }: Write, store: ConfigStore, vault: TokenVault): Promise<ConfigWritten> {
  const isKept = vault.has() && !(await store.readValues()).has(TOKEN);
  const kept = isKept && changes[TOKEN] === undefined ? vault.read() : undefined;
  if (kept === null)
    throw new AppError(
      'token-unreadable',
      'The token in the key store of this system cannot be read any more. Enter it again. Nothing was changed.',
      'permanent',
    );
  const written = await store.write(kept === undefined ? changes : { ...changes, [TOKEN]: kept }, seen);
  if (isWritten(written) && vault.has() && (await store.readValues()).has(TOKEN)) await vault.remove();
  return written;
}

const isWritten = ({ problems, conflicts }: ConfigWritten): boolean => problems.length + conflicts.length === 0;

async function putBack(vault: TokenVault, before: string | null): Promise<void> {
  if (before === null) await vault.remove();
  else await vault.write(before);
}
