import { readFileSync } from 'node:fs';

/** Whether a guard has come so far that SIGHUP, SIGINT and SIGTERM do not end it: they are ignored, or caught for nothing. */
export function isOnDuty(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mask = (field: string) => BigInt(`0x${new RegExp(`^${field}:\\s+(\\w+)`, 'm').exec(status)?.[1] ?? 0}`);
  const heard = mask('SigIgn') | mask('SigCgt');
  return [1n, 2n, 15n].every((signal) => (heard & (1n << (signal - 1n))) !== 0n);
}
