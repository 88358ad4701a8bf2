import type { UnchangedDirectory } from '../storage-access.ts';
import type { ListingPart, ProcessSettings } from '../storage-messages.ts';

/** What an operation has while it runs in a storage process. */
export interface CallContext extends ProcessSettings {
  /** See `toProcessSchema`. */
  markerExpected: boolean;
  signal: AbortSignal;
  /** Tells how far the call is, and that it lives. Cheap: messages are at most some per second. */
  progress(doneBytes: number): void;
  /** Sends a piece of a listing; resolves when there is room for another. */
  sendPart(part: Omit<ListingPart, 'kind' | 'callId'>): Promise<void>;
  /** Sends directories that look as expected; resolves when there is room for more. */
  sendUnchanged(directories: UnchangedDirectory[]): Promise<void>;
  /** Fingerprints that the index holds for directories, in their order; rejects when the call is cancelled. */
  askFingerprints(directories: string[]): Promise<(string | null)[]>;
  /** Sends an unreadable directory; resolves when there is room for another. */
  sendUnreadable(path: string, reason: string): Promise<void>;
  /** Whether bytes may move only after `leave`. */
  isPaced(): boolean;
  /** Leave to move bytes: resolves with how many of them; rejects when the call is cancelled. One at a time. */
  leave(bytes: number): Promise<number>;
  /** Sends directories in which something happened. */
  sendHint(directories: string[]): void;
  warn(message: string, fields: Record<string, unknown>): void;
}
