import type { Finding } from '../../../agent/contract/index.ts';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { MINUTE, SECOND } from './calm-studio.ts';

const CHECKED = ['iconik', 'the database and the cluster', 'the storages', 'this machine (ffmpeg, disk)'];

const FINDINGS: readonly Finding[] = [
  {
    code: 'pgbouncer-server-down',
    severity: 'error',
    cause: 'pgBouncer answers for isg at db.post.example:6432, but PostgreSQL behind it does not.',
    evidence: 'server_login_retry: connect failed: Connection refused [08P01]',
    remedy: 'Start PostgreSQL, and check host and port in pgBouncer’s [databases].',
  },
  {
    code: 'storage-read-only',
    severity: 'error',
    cause:
      'The user isg cannot write storage "NAS Post" at /mnt/nas-post, although iconik says that it may be written.',
    evidence: 'A small file could not be made there.',
    remedy: 'Mount it writable, give isg the right to write /mnt/nas-post, or switch "write" off in iconik.',
  },
  {
    code: 'role-uncovered',
    severity: 'error',
    cause: 'No running node has the role TRANSCODE, so its work waits.',
    evidence: '1563 jobs wait; the role belongs to node-c, which does not run or does not work.',
    remedy: 'Start the agent at node-c, or give the role to another node in iconik.',
  },
  {
    code: 'disk-low',
    severity: 'warning',
    cause: 'The disk of the data folder runs full.',
    evidence: 'Only 1.4 GB are free in /home/post/.local/share/isg-pro.',
    remedy:
      'Free some space, or move the data folder by data-dir in config.ini; transcodes need room for their output.',
  },
];

type Check = AppState['check'];

const never: Check = { runningSinceMs: null, last: null, failure: '' };
const ended = (findings: readonly Finding[], atMs: number): Check => ({
  ...never,
  last: {
    atMs,
    tookMs: 2_140,
    diagnosis: {
      ok: findings.every(({ severity }) => severity !== 'error'),
      findings: [...findings],
      checked: CHECKED,
    },
  },
});

/** Not run yet. */
export const neverChecked = never;
/** Just begun, a second ago. */
export const checkRunning = (nowMs: number): Check => ({ ...never, runningSinceMs: nowMs - SECOND });
/** Three minutes ago, and nothing is wrong. */
export const checkClean = (nowMs: number): Check => ended([], nowMs - 3 * MINUTE);
/** Half a minute ago, with what can be found. */
export const checkFound = (nowMs: number): Check => ended(FINDINGS, nowMs - 30 * SECOND);
/** As much as is ever found, half of it long. */
export const checkFull = (nowMs: number): Check =>
  ended(
    Array.from({ length: 14 }, (_, at): Finding => {
      const finding = FINDINGS[at % 3] ?? FINDINGS[0];
      if (finding === undefined) throw new Error('there are findings');
      return { ...finding, evidence: at % 2 === 0 ? finding.evidence : finding.evidence.repeat(5) };
    }),
    nowMs - 2 * MINUTE,
  );
/** The newest one could not be made. */
export const checkFailed: Check = {
  ...never,
  failure: 'The check gave no answer within 30 s. The machine may be overloaded; try again.',
};
