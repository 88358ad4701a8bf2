import type { IconikApi, Transcoder } from '../../../iconik/api.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { coerceError } from '../../../runtime/errors.ts';
import type { Logger } from '../../../runtime/logger.ts';
import { createProfileOf, type ProfileOf } from './transcoder-plan.ts';

/** What reading transcoders needs. */
export interface TranscoderProfilesDeps {
  iconik: { storages: Pick<IconikApi['storages'], 'transcoders'> };
  clock: Clock;
  log: Logger;
}

/** Which transcoder of iconik each TRANSCODE job counts against. */
export interface TranscoderProfiles {
  /**
   * The profiles of a storage's files by its transcoders as last read, at most a minute ago while iconik answers. Never
   * throws: without an answer the last known transcoders count, before the first one every profile is ''.
   */
  ofStorage(storageId: string, signal: AbortSignal): Promise<ProfileOf>;
  /** The transcoder that takes a file, read and remembered in the same way; null when there is none. */
  ofFile(file: { storageId: string; path: string }, signal: AbortSignal): Promise<Transcoder | null>;
}

/** Operators change transcoders by hand, seldom. */
const FRESH_MS = 60_000;
/** Pause after a failed read: work must not wait for each one. */
const RETRY_MS = 15_000;

interface Known {
  profileOf: ProfileOf;
  transcoders: readonly Transcoder[];
  /** Monotonic; read again after this instant. */
  dueMs: number;
  trouble: string;
}

/** Makes the reader; it remembers per storage. */
export function createTranscoderProfiles({ iconik, clock, log }: TranscoderProfilesDeps): TranscoderProfiles {
  const known = new Map<string, Known>();
  const reading = new Map<string, Promise<ProfileOf>>();

  const failed = (storageId: string, thrown: unknown, isUnwanted: boolean): ProfileOf => {
    const before = known.get(storageId);
    const profileOf = before?.profileOf ?? (() => '');
    if (isUnwanted) return profileOf;
    const { code, message } = coerceError(thrown);
    if (before?.trouble !== code) {
      log.warn(`The transcoders of a storage cannot be read; its transcodes share their slots as before: ${message}`, {
        storageId,
        error: code,
      });
    }
    const transcoders = before?.transcoders ?? [];
    known.set(storageId, { profileOf, transcoders, dueMs: clock.monotonicMs() + RETRY_MS, trouble: code });
    return profileOf;
  };
  const read = async (storageId: string, signal: AbortSignal): Promise<ProfileOf> => {
    let transcoders: Transcoder[];
    try {
      transcoders = await iconik.storages.transcoders(storageId, { signal });
    } catch (thrown) {
      return failed(storageId, thrown, signal.aborted);
    }
    const profileOf = createProfileOf(transcoders);
    known.set(storageId, { profileOf, transcoders, dueMs: clock.monotonicMs() + FRESH_MS, trouble: '' });
    return profileOf;
  };

  const ofStorage = async (storageId: string, signal: AbortSignal): Promise<ProfileOf> => {
    const last = known.get(storageId);
    if (last && clock.monotonicMs() < last.dueMs) return last.profileOf;
    const begun = reading.get(storageId);
    if (begun) return begun;
    const mine = read(storageId, signal).finally(() => reading.delete(storageId));
    reading.set(storageId, mine);
    return mine;
  };

  return {
    ofStorage,
    async ofFile({ storageId, path }, signal) {
      const profile = (await ofStorage(storageId, signal))(path);
      return known.get(storageId)?.transcoders.find(({ id }) => id === profile) ?? null;
    },
  };
}
