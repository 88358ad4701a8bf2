import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { writeAtomically } from '../../agent/config-file/write-atomically.ts';
import { AppError } from '../support/app-error.ts';

/** What of Electron's safeStorage is used; ask it only once the application is ready. */
export interface KeyStore {
  isEncryptionAvailable(): boolean;
  /** Linux only. */
  getSelectedStorageBackend?(): string;
  encryptString(text: string): Buffer;
  decryptString(bytes: Buffer): string;
}

/** The application token, encrypted by the operating system for this user of this machine, in a file of the data folder. */
export interface TokenVault {
  /** Whether a token is kept here. */
  has(): boolean;
  /** Why nothing can be kept here, in a sentence; empty when it can. */
  hindrance(): string;
  /** The token; null when none is kept or the system does not decrypt it (another user, another machine, a reset key store). */
  read(): string | null;
  /** Throws `AppError` when the key store or the disk refuses. */
  write(token: string): Promise<void>;
  remove(): Promise<void>;
}

/** Backends of Linux that encrypt with a key that everybody has. */
const UNSAFE_BACKENDS = new Set(['basic_text', 'unknown']);

function hindranceOf(keyStore: KeyStore, platform: string): string {
  const backend = platform === 'linux' ? (keyStore.getSelectedStorageBackend?.() ?? 'unknown') : '';
  if (UNSAFE_BACKENDS.has(backend))
    return 'This desktop session has no key store (GNOME Keyring or KWallet), so encryption would protect nothing.';
  return keyStore.isEncryptionAvailable() ? '' : 'The key store of this system cannot be used now.';
}

/** The vault in `path`; touches the file only to see whether there is one. */
export function openTokenVault(path: string, keyStore: KeyStore, platform: string = process.platform): TokenVault {
  let sealed = readSealed(path);
  return {
    has: () => sealed !== null,
    hindrance: () => hindranceOf(keyStore, platform),
    read: () => {
      if (sealed === null || !keyStore.isEncryptionAvailable()) return null;
      try {
        return keyStore.decryptString(sealed);
      } catch {
        // ignored because whoever asks says what it means: nobody can read this token any more
        return null;
      }
    },
    write: async (token) => {
      const hindrance = hindranceOf(keyStore, platform);
      if (hindrance !== '')
        throw new AppError('key-store-unusable', `${hindrance} The token stays where it was.`, 'permanent');
      try {
        const bytes = keyStore.encryptString(token);
        await writeAtomically(path, bytes);
        sealed = bytes;
      } catch (thrown) {
        const words = 'The token could not be kept in the key store of this system; it stays where it was.';
        throw new AppError('key-store-failed', words, 'transient', thrown);
      }
    },
    remove: async () => {
      await rm(path, { force: true });
      sealed = null;
    },
  };
}

function readSealed(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    // ignored because a token that cannot be read is none: whoever needs one says so
    return null;
  }
}
