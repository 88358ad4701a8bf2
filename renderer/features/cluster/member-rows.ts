import type { Availability, ClusterMember } from '../../../agent/contract/index.ts';
import { gravest } from '../../ui/gravest.ts';
import type { Status } from '../../ui/StatusMark.tsx';

/** A node as the table shows it. */
export interface MemberRow {
  member: ClusterMember;
  /** Shape and word of its availability. */
  status: Status;
  word: string;
  /** Why it is so; may be empty. */
  reason: string;
  /** The gravest of its health checks. */
  health: Status;
  healthWords: string;
  /** Its storage gateway id is also used by another run. */
  isDuplicate: boolean;
}

/** Whether its operator paused the node. What it says of itself then begins with this word (contract: cluster.leaderless has it as a code). */
export function isPaused({ availability, reason }: ClusterMember): boolean {
  return availability === 'draining' && reason.startsWith('Paused');
}

const WORDS: Record<Availability, { status: Status; word: string }> = {
  available: { status: 'ok', word: 'Available' },
  degraded: { status: 'warning', word: 'Degraded' },
  draining: { status: 'warning', word: 'Draining' },
  disabled: { status: 'unknown', word: 'Disabled' },
  duplicate: { status: 'failing', word: 'Duplicate' },
  unavailable: { status: 'failing', word: 'Unavailable' },
};

function checkName(check: string, storageNames: ReadonlyMap<string, string>): string {
  const storageId = check.startsWith('storage:') ? check.slice('storage:'.length) : null;
  return storageId === null ? check : (storageNames.get(storageId) ?? `storage ${storageId}`);
}

function healthOf(
  { health }: ClusterMember,
  names: ReadonlyMap<string, string>,
): Pick<MemberRow, 'health' | 'healthWords'> {
  const bad = health.filter(({ status }) => status !== 'ok');
  if (health.length === 0) return { health: 'unknown', healthWords: 'Not known' };
  if (bad.length === 0) return { health: 'ok', healthWords: 'Healthy' };
  const words = bad.map(({ check, status }) => `${checkName(check, names)} ${status}`).join(', ');
  return { health: gravest(bad.map(({ status }) => status)), healthWords: words };
}

/**
 * The rows in an order that does not change while nodes come, go and lead: this node, then by name and worker. A node that is not
 * seen alive is unavailable whatever it said last. `isLive` false = everything is the last known, hence unknown.
 */
export function memberRows(
  members: readonly ClusterMember[],
  storageNames: ReadonlyMap<string, string>,
  isLive: boolean,
): MemberRow[] {
  return [...members]
    .sort(
      (a, b) =>
        Number(b.isSelf) - Number(a.isSelf) ||
        a.name.localeCompare(b.name, 'en', { numeric: true }) ||
        a.workerId.localeCompare(b.workerId),
    )
    .map((member) => {
      const own = isPaused(member) ? { status: 'warning' as const, word: 'Paused' } : WORDS[member.availability];
      const said = member.isAlive ? own : { status: 'failing' as const, word: 'Not seen alive' };
      const words = isLive ? said : { status: 'unknown' as const, word: `Unknown (was ${said.word.toLowerCase()})` };
      const health = isLive
        ? healthOf(member, storageNames)
        : { health: 'unknown' as const, healthWords: 'Not known now' };
      return { member, ...words, ...health, reason: member.reason, isDuplicate: member.availability === 'duplicate' };
    });
}
