import { describe, expect, it } from 'vitest';
import { isMountAwaited } from '../../../agent/roles/transfer/awaited-mount.ts';

const mounted = 'overlay / overlay rw 0 0\n/dev/sda2 /home ext4 rw 0 0\n';
const planned =
  '# a comment\n/dev/sda1 / ext4 defaults 0 1\nnas:/x /mnt/na\\040s nfs defaults 0 0\n/dev/sda2 /home ext4 rw\n/dev/sda3 none swap sw 0 0\n';

describe('a mount that is awaited', () => {
  it('is one that the system plans at or above the folder and does not have', () => {
    const tables = { planned, mounted };
    expect(isMountAwaited('/mnt/na s', tables)).toBe(true);
    expect(isMountAwaited('/mnt/na s/share', tables)).toBe(true);
    expect(isMountAwaited('/mnt/na s2', tables)).toBe(false);
    expect(isMountAwaited('/mnt', tables)).toBe(false);
    expect(isMountAwaited('/home/restore', tables)).toBe(false);
    expect(isMountAwaited('/srv', tables)).toBe(false);
    const now = { planned, mounted: `${mounted}nas:/x /mnt/na\\040s nfs rw 0 0\n` };
    expect(isMountAwaited('/mnt/na s', now)).toBe(false);
  });
});
