import type { Finding } from '../contract/index.ts';
import type { ProbeResult } from '../storage/storage-access.ts';

// What is wrong with one storage on this machine, in words. Pure.

/** What is known of a storage on this machine. */
export interface StorageLook {
  name: string;
  /** Null where neither node nor storage says one. */
  mountPoint: string | null;
  /** Whether the storage's settings in iconik allow writing. */
  mayWrite: boolean;
  probe: ProbeResult | null;
  /** Whether the cluster has seen its marker, or files on it. Null when the database could not be asked. */
  isInUse: boolean | null;
  /** Who runs this program, as the operating system names it. */
  user: string;
}

type Words = Pick<Finding, 'code' | 'cause' | 'remedy'>;

type Unreachable = Extract<ProbeResult, { kind: 'unreachable' }>;

function wordsOfUnreachable(probe: Unreachable, { mountPoint, user }: StorageLook, what: string): Words {
  switch (probe.reason) {
    case 'hung':
      return {
        code: 'storage-hung',
        cause: `${what} does not answer: its mount hangs.`,
        remedy: 'Check the file server and the network to it; a hard NFS mount waits until the server is back.',
      };
    case 'absent':
    case 'not-a-directory':
      return {
        code: 'storage-gone',
        cause: `${what} is not there.`,
        remedy: `Mount the share at ${mountPoint}, or correct the mount point in iconik.`,
      };
    case 'unreadable':
      return /EACCES|EPERM/.test(probe.detail)
        ? {
            code: 'storage-rights',
            cause: `The user ${user} may not read ${what}.`,
            remedy: `Give ${user} the right to read and enter ${mountPoint} on this machine and on the file server.`,
          }
        : {
            code: 'storage-unreadable',
            cause: `${what} cannot be read.`,
            remedy: 'Look after what the operating system says of it; mount it anew.',
          };
  }
}

/** What keeps a storage from being used; null when nothing does. */
export function explainStorage(look: StorageLook): Finding | null {
  const { name, mountPoint, probe, user } = look;
  if (mountPoint === null) {
    return {
      code: 'storage-no-mount-point',
      severity: 'error',
      cause: `Storage "${name}" has no mount point on this node.`,
      evidence: 'Neither the storage nor the storage gateway in iconik names one.',
      remedy: 'Enter it at the storage gateway in iconik.',
    };
  }
  if (probe === null) return null;
  const what = `storage "${name}" at ${mountPoint}`;
  const error = (words: Words, evidence: string): Finding => ({
    ...words,
    cause: words.cause.charAt(0).toUpperCase() + words.cause.slice(1),
    severity: 'error',
    evidence,
  });
  if (probe.kind === 'unreachable') {
    if (probe.wasAsked !== false) return error(wordsOfUnreachable(probe, look, what), probe.detail);
    const remedy = 'Ask again; a machine that is overloaded may need longer.';
    const cause = `Could not look at ${what}.`;
    return { code: 'not-checked', severity: 'warning', cause, evidence: probe.detail, remedy };
  }
  if (probe.marker === 'wrong') {
    const remedy = 'Mount the right share, or correct the mount point in iconik.';
    const cause = `${what} shows another share: it carries the marker of another storage.`;
    return error({ code: 'storage-wrong-share', cause, remedy }, 'Its .isg-pro-storage names another storage.');
  }
  if (probe.marker === 'absent' && look.isInUse === true) {
    const cause = `${what} is ${probe.empty ? 'empty' : 'another folder'}: its share is not mounted.`;
    const remedy = `Mount the share at ${mountPoint}. No file is taken for missing meanwhile.`;
    const seen = `There is no .isg-pro-storage in it${probe.empty ? ', nor anything else' : ''}, and the cluster knows files on this storage.`;
    return error({ code: 'storage-empty', cause, remedy }, seen);
  }
  if (probe.writable === false) {
    const cause = `The user ${user} cannot write ${what}, although iconik says that it may be written.`;
    const remedy = `Mount it writable, give ${user} the right to write ${mountPoint}, or switch "write" off in iconik.`;
    return error({ code: 'storage-read-only', cause, remedy }, 'A small file could not be made there.');
  }
  return null;
}
