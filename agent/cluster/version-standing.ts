import { compareVersions } from '../db/migrate.ts';

/** A worker as far as its version is concerned. */
export interface VersionedMember {
  name: string;
  version: string;
  alive: boolean;
}

/** Names of nodes in a sentence. */
const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/**
 * What a node says while newer ones work beside it: what it may still do, and what is to be done; null when none is newer.
 * Every node brings the database to its own version when it starts, so that of the newest is the database's. Pure.
 */
export function newerNodes(
  own: string,
  members: readonly VersionedMember[],
): { reason: string; remedy: string } | null {
  const newer = members.filter(({ alive, version }) => alive && compareVersions(version, own) > 0);
  const [newest] = newer.map(({ version }) => version).toSorted((one, other) => compareVersions(other, one));
  if (newest === undefined) return null;
  const names = newer.filter(({ version }) => compareVersions(version, newest) === 0).map(({ name }) => name);
  return {
    reason: `This node runs ${own}; ${listed(names.toSorted())} and the cluster's database are at ${newest}. It keeps working; new kinds of jobs are left to newer nodes.`,
    remedy: 'Finish the upgrade: update this node, too; the Primary last.',
  };
}
