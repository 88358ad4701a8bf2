import type { HeldShare } from '../../../../agent/cluster/request-share/share-plan.ts';
import type { ShareStore } from '../../../../agent/cluster/request-share/share-store.ts';

/** A ledger in memory with the guards of the one in the database. */
export interface MemoryShareStore extends ShareStore {
  /** What the ledger says that all runs together may send. */
  heldSum(): number;
}

export function createMemoryShareStore(): MemoryShareStore {
  let version = 0;
  let throttles = 0;
  let lastPauseMs = 0;
  const rows = new Map<string, HeldShare>();
  return {
    async read() {
      return { version, throttles, pauseMs: lastPauseMs, rows: [...rows.values()].map((row) => ({ ...row })) };
    },
    async release(share) {
      const held = Math.min(rows.get(share.runId)?.heldPerSecond ?? 0, share.heldPerSecond);
      rows.set(share.runId, { ...share, heldPerSecond: held });
    },
    async raise(share, seen) {
      if (seen.version !== version) return false;
      version += 1;
      for (const runId of seen.gone) rows.delete(runId);
      rows.set(share.runId, { ...share });
      return true;
    },
    async throttled(pauseMs) {
      lastPauseMs = pauseMs;
      throttles += 1;
      return throttles;
    },
    async leave(runId) {
      rows.delete(runId);
    },
    heldSum: () => [...rows.values()].reduce((sum, row) => sum + row.heldPerSecond, 0),
  };
}
