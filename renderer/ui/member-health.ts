import type { ClusterMember } from '../../agent/contract/index.ts';

/** A node that works as it should; a node that is down, degraded, a duplicate or paused does not. */
export function isHealthy(member: ClusterMember): boolean {
  return member.isAlive && member.availability === 'available';
}
