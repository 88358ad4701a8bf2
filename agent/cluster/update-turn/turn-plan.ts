import { compareVersions } from '../../db/migrate.ts';
import type { UpdateTurnRow } from '../../db/queries/update-turn.ts';

/** Who may take the turn to install a new version, and who waits for whom (README). Pure. */

/** What this node knows when it wants the turn. */
export interface ClaimFacts {
  row: UpdateTurnRow;
  /** How long the row has stood still, seen by this node itself, milliseconds of its own monotonic time. */
  stoodMs: number;
  selfWorkerId: string;
  version: string;
  /** A person asked for it: order and earlier failures elsewhere do not hold it up, another's turn does. */
  isAsked: boolean;
  isLeading: boolean;
  /** Other living workers that could lead. */
  otherMains: readonly { name: string; version: string }[];
}

/** Why the turn is not this node's now. */
export type Refusal = 'leads' | 'another-updates' | 'failed-elsewhere';

/** What to do about a claim. */
export type ClaimPlan =
  | { kind: 'refuse'; why: Refusal; node: string }
  /** `didNotReturn`: the turn is taken from one who had begun to install and was not heard of since. */
  | { kind: 'take'; didNotReturn: boolean };

/** A turn that has stood still for this long is nobody's: longer than an installation and its confirmation may take. */
export const TURN_TTL_MS = 15 * 60_000;

/** Decides on a claim. */
export function planClaim(facts: ClaimFacts): ClaimPlan {
  const { row, version, isAsked } = facts;
  const isOthers = row.worker_id !== null && row.worker_id !== facts.selfWorkerId;
  const isLapsed = isOthers && facts.stoodMs >= TURN_TTL_MS;
  const didNotReturn = isLapsed && row.is_installing;
  if (isOthers && !isLapsed) return { kind: 'refuse', why: 'another-updates', node: row.node_name };
  const failedOn = didNotReturn && row.version === version ? row.node_name : failureOf(row, version);
  if (failedOn !== null && !isAsked) return { kind: 'refuse', why: 'failed-elsewhere', node: failedOn };
  const older = facts.otherMains.find((other) => compareVersions(other.version, version) < 0);
  if (facts.isLeading && older !== undefined && !isAsked) return { kind: 'refuse', why: 'leads', node: older.name };
  return { kind: 'take', didNotReturn };
}

function failureOf(row: UpdateTurnRow, version: string): string | null {
  return row.failed_version === version ? row.failed_node_name : null;
}
