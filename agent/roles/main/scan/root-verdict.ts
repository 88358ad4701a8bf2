import type { ProbeResult } from '../../../storage/storage-access.ts';

/** Name of the identity marker in a storage's root. */
const MARKER_NAME = '.isg-pro-storage';

/** What the index remembers of a storage's root. */
export interface RootMemory {
  placedMarker: boolean;
  /** The index holds files for present. */
  hasPresentFiles: boolean;
}

/** Whether a root is the one the index describes. */
export type RootVerdict = { kind: 'genuine' } | { kind: 'doubtful'; problem: string };

const doubtful = (problem: string): RootVerdict => ({ kind: 'doubtful', problem });

/**
 * Decides from a probe whether what is mounted is the storage the index describes. A root that once carried our marker
 * must carry it; one that never did must at least not be suddenly empty (an unmounted share shows an empty folder).
 */
export function judgeRoot(probe: ProbeResult, memory: RootMemory): RootVerdict {
  if (probe.kind === 'unreachable') {
    return doubtful(
      `The storage cannot be reached (${probe.reason}: ${probe.detail}). Nothing is marked missing; check the mount.`,
    );
  }
  if (probe.marker === 'wrong') {
    return doubtful(
      `The mount point shows another storage (${MARKER_NAME} names a different id). It is not scanned; mount the right share.`,
    );
  }
  if (probe.marker === 'right') return { kind: 'genuine' };
  if (memory.placedMarker) {
    return doubtful(
      `The identity marker ${MARKER_NAME} is gone from the root, so the share is probably not mounted. It is not scanned; mount it, or put the marker file back.`,
    );
  }
  if (probe.empty && memory.hasPresentFiles) {
    return doubtful(
      'The root is suddenly empty, so the share is probably not mounted. Nothing is marked missing; check the mount.',
    );
  }
  return { kind: 'genuine' };
}
