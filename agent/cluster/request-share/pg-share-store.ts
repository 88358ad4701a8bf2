import { createHash } from 'node:crypto';
import * as queries from '../../db/queries/request-share.ts';
import type { Sql } from '../../runtime/sql.ts';
import type { HeldShare } from './share-plan.ts';
import type { ShareStore } from './share-store.ts';

/** Name of a credential in the database: nodes with the same App-ID at the same iconik share one budget. */
export function credentialName(iconikUrl: string, appId: string): string {
  const host = URL.canParse(iconikUrl) ? new URL(iconikUrl).host : iconikUrl;
  return createHash('sha256').update(`${host}\n${appId}`).digest('hex').slice(0, 32);
}

/** The ledger of a credential in the cluster's database. */
export function createPgShareStore(sql: Sql, credential: string): ShareStore {
  const lineOf = ({ runId, demandPerSecond, heldPerSecond }: HeldShare) => ({
    credential,
    runId,
    demand: demandPerSecond,
    held: heldPerSecond,
  });
  return {
    async read() {
      const { version, throttles, pause_ms: pauseMs, shares } = await queries.readRequestLedger(sql, credential);
      const rows = shares.map(({ run_id: runId, demand, held }) => ({
        runId,
        demandPerSecond: demand,
        heldPerSecond: held,
      }));
      return { version, throttles, pauseMs, rows };
    },
    release: (share) => queries.releaseRequestShare(sql, lineOf(share)),
    raise: (share, seen) => queries.raiseRequestShare(sql, lineOf(share), seen),
    throttled: (pauseMs) => queries.noteThrottled(sql, credential, pauseMs),
    leave: (runId) => queries.leaveRequestLedger(sql, runId),
  };
}
