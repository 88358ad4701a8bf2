import type { ClusterMember } from '../../../../agent/contract/index.ts';
import { compareVersions } from './versions.ts';

/** What this window has seen of the versions of one node. */
interface SeenVersion {
  version: string;
  /** When it last came back with a newer one, milliseconds since the epoch; null = not seen. */
  roseMs: number | null;
  /** The newer version that it had before; null unless it went back. */
  fellFrom: string | null;
}

/** What this window has seen, by worker. The cluster itself keeps no past versions. */
export type VersionMemory = ReadonlyMap<string, SeenVersion>;

/** Adds what is seen now; answers the same value while nothing has changed. */
export function rememberVersions(
  memory: VersionMemory,
  members: readonly ClusterMember[],
  nowMs: number,
): VersionMemory {
  let next: Map<string, SeenVersion> | null = null;
  for (const { workerId, version } of members) {
    const seen = memory.get(workerId);
    if (seen?.version === version) continue;
    next ??= new Map(memory);
    const order = seen === undefined ? 0 : compareVersions(version, seen.version);
    next.set(workerId, {
      version,
      roseMs: order > 0 ? nowMs : (seen?.roseMs ?? null),
      fellFrom: order < 0 ? (seen?.version ?? null) : null,
    });
  }
  return next ?? memory;
}
