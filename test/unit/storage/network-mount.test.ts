import { describe, expect, it } from 'vitest';
import {
  fileSystemOf,
  networkOnLinux,
  networkOnMac,
  networkOnWindows,
  networkTypeName,
} from '../../../agent/storage/network-mount.ts';

const EXT4 = 0xef53;
const FUSE = 0x65735546;
const TABLE = [
  '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
  '30 22 0:40 / /mnt/nas rw,relatime shared:9 - nfs4 server:/media rw,vers=4.2',
  '31 22 0:41 / /mnt/my\\040share rw - cifs //server/share rw',
  '32 22 8:17 / /mnt/usb rw - fuseblk /dev/sdb1 rw',
  '33 22 0:42 / /mnt/ssh rw - fuse.sshfs user@host: rw',
  '34 30 8:33 / /mnt/nas/local rw - xfs /dev/sdc1 rw',
].join('\n');

describe('a network file system', () => {
  it('is told by the mount table of Linux, by the innermost mount', () => {
    expect(fileSystemOf(TABLE, '/mnt/my share/a')).toBe('cifs');
    expect(networkOnLinux('/mnt/nas/a', EXT4, TABLE)).toBe('nfs4');
    expect(networkOnLinux('/mnt/nas/local/a', EXT4, TABLE)).toBeNull();
    expect(networkOnLinux('/mnt/nasty', EXT4, TABLE)).toBeNull();
    expect(networkOnLinux('/mnt/ssh', FUSE, TABLE)).toBe('fuse.sshfs');
    expect(networkOnLinux('/mnt/usb/films', FUSE, TABLE)).toBeNull();
  });

  it('is told by its type where the table says nothing, also as a negative number', () => {
    expect(networkOnLinux('/mnt/x', 0x6969, '')).toBe('nfs');
    expect(networkOnLinux('/mnt/x', FUSE, '')).toBe('fuse');
    expect(networkTypeName(0xff534d42 | 0)).toBe('cifs');
    expect(networkTypeName(EXT4)).toBeNull();
  });

  it('is what mount on macOS does not call local', () => {
    const output = [
      '/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)',
      '/dev/disk5s2 on /Volumes/RAID (2) (hfs, local, nodev, nosuid, journaled)',
      '//guest@nas._smb._tcp.local/media on /Volumes/media (smbfs, nodev, nosuid, mounted by editor)',
    ].join('\n');
    expect(networkOnMac('/Users/a', output)).toBeNull();
    expect(networkOnMac('/Volumes/RAID (2)/a', output)).toBeNull();
    expect(networkOnMac('/Volumes/media/a', output)).toBe('smbfs');
    expect(networkOnMac('/Volumes/media/a', '')).toBe('unknown');
  });

  it('is a share on Windows, however it is written', () => {
    expect(networkOnWindows('\\\\server\\share\\a')).toBe('smb');
    expect(networkOnWindows('\\\\?\\UNC\\server\\share')).toBe('smb');
    expect(networkOnWindows('//server/share')).toBe('smb');
    expect(networkOnWindows('D:\\media')).toBeNull();
    expect(networkOnWindows('\\\\?\\D:\\media')).toBeNull();
  });
});
