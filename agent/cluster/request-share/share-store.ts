import type { HeldShare } from './share-plan.ts';

/** The ledger of one credential at one instant. */
export interface ShareLedger {
  /** Moves at each raise; a raise must name the one it has seen. */
  version: number;
  rows: HeldShare[];
  /** How often iconik has throttled a node of the credential. */
  throttles: number;
  /** The pause that the last one was asked for, milliseconds. */
  pauseMs: number;
}

/** The ledger of a credential's shares (README.md). Every function may fail with `database-…`. */
export interface ShareStore {
  /** All of it, from one instant. */
  read(): Promise<ShareLedger>;
  /** Notes what the run wants, and that it holds no more than `heldPerSecond`; never makes it hold more. */
  release(share: HeldShare): Promise<void>;
  /** Makes the run hold `heldPerSecond` and strikes out the `gone`, unless the ledger has moved on from `version`. */
  raise(share: HeldShare, seen: { version: number; gone: readonly string[] }): Promise<boolean>;
  /** Tells the others that iconik wants a pause; answers the number of this time. */
  throttled(pauseMs: number): Promise<number>;
  /** Strikes out a run that sends nothing any more. */
  leave(runId: string): Promise<void>;
}
