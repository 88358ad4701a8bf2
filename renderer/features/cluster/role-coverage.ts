import { type ClusterMember, ROLES, type Role } from '../../../agent/contract/index.ts';

/** Who holds one role. */
export interface RoleCoverage {
  role: Role;
  /** Available nodes with the role, by name. */
  available: string[];
  /** Nodes that have the role and cannot work on it now. */
  away: string[];
  isCovered: boolean;
}

const CONSEQUENCES: Record<Role, string> = {
  MAIN: 'nothing is scanned or ingested, and orders of iconik are not taken',
  CHECKSUM: 'new files are not read, so they do not reach iconik',
  TRANSCODE: 'no proxies and keyframes are made',
  TRANSFER: 'nothing is uploaded or downloaded',
};

/** Coverage of the four roles, always in the same order. `uncovered` is the agent's own verdict. */
export function roleCoverage(members: readonly ClusterMember[], uncovered: readonly Role[]): RoleCoverage[] {
  return ROLES.map((role) => {
    const holders = members.filter(({ roles }) => roles.includes(role));
    const works = (member: ClusterMember) => member.isAlive && member.availability === 'available';
    const available = holders.filter(works).map(({ name }) => name);
    return {
      role,
      available,
      away: holders.filter((member) => !works(member)).map(({ name }) => name),
      isCovered: available.length > 0 && !uncovered.includes(role),
    };
  });
}

/** What stands still while these roles have no available node; empty when none is missing. */
export function uncoveredConsequence(uncovered: readonly Role[]): string {
  const words = uncovered.map((role) => CONSEQUENCES[role]).join('; ');
  return words === '' ? '' : `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
