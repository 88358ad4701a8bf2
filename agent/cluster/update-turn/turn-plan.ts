import { type Availability, isBeyondNeighbour } from '../../contract/index.ts';
import { compareVersions } from '../../db/migrate.ts';
import type { UpdateTurnRow } from '../../db/queries/update-turn.ts';

/** Who may take the turn to install a new version, and who waits for whom (README). Pure. */

/** Another worker that lives, as far as updating this one concerns it. */
export interface OtherWorker {
  name: string;
  version: string;
  roles: readonly string[];
  availability: Availability;
}

/** What this node knows when it wants the turn. */
export interface ClaimFacts {
  row: UpdateTurnRow;
  /** How long the row has stood still, seen by this node itself, milliseconds of its own monotonic time. */
  stoodMs: number;
  selfWorkerId: string;
  version: string;
  /** A person asked for it: nothing that concerns the others holds it up but another's turn. */
  isAsked: boolean;
  isLeading: boolean;
  others: readonly OtherWorker[];
}

/** Why the turn is not this node's now, and the node that is waited for or on which the version failed. */
export interface Refusal {
  why: 'leads' | 'another-updates' | 'failed-elsewhere';
  node: string;
  /** What `why` cannot say: a release lies between the version and that of the node, or the node has it and is not well. */
  because?: 'skips-release' | 'not-available';
}

/** What to do about a claim. */
export type ClaimPlan =
  | ({ kind: 'refuse' } & Refusal)
  /** `didNotReturn`: the turn is taken from one who had begun to install and was not heard of since. */
  | { kind: 'take'; didNotReturn: boolean };

/** A turn that has stood still for this long is nobody's: longer than an installation and its confirmation may take. */
export const TURN_TTL_MS = 15 * 60_000;

/** Decides on a claim. */
export function planClaim(facts: ClaimFacts): ClaimPlan {
  const { row, version } = facts;
  const isOthers = row.worker_id !== null && row.worker_id !== facts.selfWorkerId;
  const isLapsed = isOthers && facts.stoodMs >= TURN_TTL_MS;
  const didNotReturn = isLapsed && row.is_installing;
  if (isOthers && !isLapsed) return { kind: 'refuse', why: 'another-updates', node: row.node_name };
  const failedOn = didNotReturn && row.version === version ? row.node_name : failureOf(row, version);
  const held = facts.isAsked ? null : heldUpBy(facts, failedOn);
  return held === null ? { kind: 'take', didNotReturn } : { kind: 'refuse', ...held };
}

/** States in which a worker will not lead whatever happens; a degraded one may be well again in a moment. */
const WILL_NOT_LEAD: readonly Availability[] = ['disabled', 'duplicate', 'unavailable'];

// What only a person may pass over.
function heldUpBy({ version, isLeading, others }: ClaimFacts, failedOn: string | null): Refusal | null {
  if (failedOn !== null) return { why: 'failed-elsewhere', node: failedOn };
  // Its tables may be such that those do not run on them: one node must not stop all the others.
  const far = others.find((other) => isBeyondNeighbour(other.version, version));
  if (far !== undefined) return { why: 'another-updates', node: far.name, because: 'skips-release' };
  const isOlder = (other: OtherWorker) => compareVersions(other.version, version) < 0;
  // Whether the version is to blame or not: what does not work there is not spread by itself.
  const unwell = others.find((other) => !isOlder(other) && other.availability === 'degraded');
  if (unwell !== undefined) return { why: 'another-updates', node: unwell.name, because: 'not-available' };
  if (!isLeading) return null;
  const mains = others.filter(
    ({ roles, availability }) => roles.includes('MAIN') && !WILL_NOT_LEAD.includes(availability),
  );
  const older = mains.find(isOlder);
  if (older !== undefined) return { why: 'leads', node: older.name };
  // Handed over to nobody, the leadership would rest for as long as the installation takes.
  const [first] = mains;
  if (first === undefined || mains.some(({ availability }) => availability === 'available')) return null;
  return { why: 'another-updates', node: first.name, because: 'not-available' };
}

function failureOf(row: UpdateTurnRow, version: string): string | null {
  return row.failed_version === version ? row.failed_node_name : null;
}
