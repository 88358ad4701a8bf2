/** Names what allows a creation: the current leadership or a live job lease. Checked in the same statement that commits the intent. */
export type Fence =
  | { kind: 'leader'; term: number; runId: string }
  | { kind: 'lease'; jobId: string; leaseToken: string };

/** Kinds of things created in iconik. */
export type CreatedKind =
  | 'asset'
  | 'version'
  | 'format'
  | 'file-set'
  | 'file'
  | 'proxy'
  | 'keyframe'
  | 'collection'
  | 'history'
  | 'temporary-file-set'
  | 'temporary-file'
  | 'relay-export';

/** One creation. */
export interface Creation {
  kind: CreatedKind;
  /** Natural key: what makes two requests mean the same thing. */
  key: string;
  fence: Fence;
  /** Synchronous, right before the request: throws when the caller may not act (trust window, lease). */
  assertAllowed(): void;
  /** Sends the creating request, once; must honour the signal, which fires at the intent's deadline. */
  create(signal: AbortSignal): Promise<{ id: string }>;
  /**
   * Looks for what an earlier attempt may have created, by published look-ups. `isTaken` tells ids that another intent
   * owns. Only called once nothing sent by an earlier attempt can take effect any more.
   */
  find(attempt: { startedAt: Date; isTaken(id: string): Promise<boolean> }): Promise<{ id: string } | null>;
}

/**
 * Creates a thing in iconik at most once, whoever dies when (README.md of this folder). Answers the id, from an earlier
 * attempt or this one. Throws `creation-in-doubt` (transient, `fields.retryAfterMs`) while an earlier attempt may still
 * take effect; `leadership-lost` or `lease-lost` when the fence does not hold; and what `create` threw when iconik refused
 * it for good.
 */
export type CreateOnce = (creation: Creation) => Promise<string>;
