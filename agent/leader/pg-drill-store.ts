import * as queries from '../db/queries/leader-drill.ts';
import type { Sql } from '../runtime/sql.ts';
import type { DrillStore } from './drill-store.ts';

/** Drills in PostgreSQL. */
export function createPgDrillStore(sql: Sql): DrillStore {
  return {
    begin: (leadership, to) => queries.beginDrill(sql, leadership, to),
    markHandedOver: (leadership, drillId) => queries.markHandedOver(sql, leadership, drillId),
    markTurnOver: (leadership, drillId) => queries.markTurnOver(sql, leadership, drillId),
    end: (leadership, drillId, outcome) => queries.endDrill(sql, leadership, { drillId, outcome }),
    endBegun: (leadership, outcome) => queries.endBegunDrill(sql, leadership, outcome),
    open: async () => {
      const row = await queries.openDrill(sql);
      if (row === null) return null;
      return {
        drillId: row.drill_id,
        fromRun: row.from_run,
        fromTerm: row.from_term,
        toRun: row.to_run,
        toName: row.to_name,
        isHandedOver: row.is_handed_over,
        isTurnOver: row.is_turn_over,
        ageMs: row.age_ms,
      };
    },
    report: async (drillId) => {
      const row = await queries.drillReport(sql, drillId);
      if (row === null) return null;
      return {
        isHandedOver: row.is_handed_over,
        outcome: row.outcome,
        handOverMs: row.hand_over_ms,
        totalMs: row.total_ms,
        outGapMs: row.out_gap_ms,
        backGapMs: row.back_gap_ms,
      };
    },
  };
}
