import type { Storage } from '../../iconik/api.ts';
import type { ProbeResult, StorageAccess } from '../../storage/storage-access.ts';
import { failing, type HealthCheck, ok } from '../health-check.ts';
import type { CheckAnswer } from '../hysteresis-state.ts';

/** A hung mount must be known within 3 s (design: health): the wait for the next probe and its time limit together. */
const EVERY_MS = 900;
const PROBE_TIMEOUT_MS = 1_900;
/** A test write (make, sync, remove) costs the file server more than a look, so it comes with every other probe. */
const WRITE_EVERY_PROBES = 2;

/** Name of a storage's check. */
export const storageCheckName = (storageId: string): string => `storage:${storageId}`;

/** Mounted, marker right, readable, and writable when the storage says write. */
export function createStorageCheck(
  /** The entity as last read, so that a changed "write" applies at once. */
  current: () => Storage,
  access: StorageAccess,
  /** Whether the root once carried our identity marker. */
  markerExpected: () => boolean,
): HealthCheck {
  const name = storageCheckName(current().id);
  let hasSeenMarker = false;
  let probes = 0;
  let lastWritable: boolean | null = null;
  return {
    name,
    everyMs: EVERY_MS,
    timeoutMs: PROBE_TIMEOUT_MS + 1_000,
    ask: async () => {
      const storage = current();
      const mayWrite = storage.settings.write === true;
      // A refused write is looked at again at once; what counts as loss is two refusals in a row.
      const testWrite = mayWrite && (lastWritable !== true || probes % WRITE_EVERY_PROBES === 0);
      probes += 1;
      const probe = await access.probe({ testWrite, timeoutMs: PROBE_TIMEOUT_MS });
      if (probe.kind === 'reachable') {
        if (testWrite) lastWritable = probe.writable;
        // What the leader wrote down of a new marker reaches this node only with the next reading of the entities.
        hasSeenMarker ||= probe.marker === 'right';
      }
      if (!mayWrite) lastWritable = null;
      return answerOf(name, {
        storage,
        mountPoint: access.mountPoint,
        probe,
        markerExpected: hasSeenMarker || markerExpected(),
      });
    },
  };
}

interface Found {
  storage: Storage;
  mountPoint: string;
  probe: ProbeResult;
  markerExpected: boolean;
}

function answerOf(check: string, { storage, mountPoint, probe, markerExpected }: Found): CheckAnswer {
  const where = `Storage "${storage.name}" at ${mountPoint}`;
  if (probe.kind === 'unreachable') return unreachable(check, where, probe);
  if (probe.marker === 'wrong') {
    return failing(check, {
      reason: `${where} carries the marker of another storage.`,
      remedy: 'The mount point shows the wrong share: mount the right one, or correct the mount point in iconik.',
      certain: true,
    });
  }
  if (markerExpected && probe.marker === 'absent') {
    return failing(check, {
      reason: `${where} does not carry its marker file .isg-pro-storage any more${probe.empty ? ' and is empty' : ''}.`,
      remedy: 'The share is probably not mounted: mount it. No file is taken for missing meanwhile.',
      certain: true,
    });
  }
  if (probe.writable === false) {
    return failing(check, {
      reason: `${where} cannot be written, although iconik says it may be.`,
      remedy: 'Give the user of this program write permission, remount it writable, or switch "write" off in iconik.',
    });
  }
  return ok(check);
}

function unreachable(check: string, where: string, probe: Extract<ProbeResult, { kind: 'unreachable' }>): CheckAnswer {
  switch (probe.reason) {
    case 'absent':
      return failing(check, {
        reason: `${where} does not exist (${probe.detail}).`,
        remedy: 'Create or mount it, or correct the mount point of this storage in iconik.',
      });
    case 'not-a-directory':
      return failing(check, {
        reason: `${where} is not a directory.`,
        remedy: 'Correct the mount point of this storage in iconik.',
        certain: true,
      });
    case 'unreadable':
      return failing(check, {
        reason: `${where} cannot be read (${probe.detail}).`,
        remedy: /EACCES|EPERM/.test(probe.detail)
          ? 'Give the user of this program permission to read it.'
          : 'Look after what is named in brackets; work goes on by itself when the storage can be read again.',
      });
    case 'hung':
      return failing(check, {
        reason: `${where} does not answer (${probe.detail}).`,
        remedy: 'Check the file server and the network to it; work goes on by itself when it answers again.',
        certain: true,
      });
  }
}
