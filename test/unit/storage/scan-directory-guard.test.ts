import { describe, expect, it } from 'vitest';
import { IsgError } from '../../../agent/runtime/errors.ts';
import { whyOutside, withinScanDirectories } from '../../../agent/storage/scan-directory-guard.ts';
import { createUnusableAccess } from '../../../agent/storage/unusable-access.ts';

describe('access outside of the scan directories', () => {
  it('is refused unless the storage allows it, with the name of the setting', () => {
    const settings = { scan_directories: ['/shows/', 'caf\u0065\u0301'] };
    expect(whyOutside('shows/a.mov', settings)).toBeNull();
    expect(whyOutside('caf\u00e9/a.mov', settings)).toBeNull();
    expect(whyOutside('showsreel/a.mov', settings)).toContain('allow_access_outside_scan_directories');
    expect(whyOutside('a.mov', { ...settings, allow_access_outside_scan_directories: true })).toBeNull();
    expect(whyOutside('a.mov', {})).toBeNull();
    expect(whyOutside('a.mov', { scan_directories: [] })).toBeNull();
  });

  it('is refused to every call that names a path, before the storage is touched', async () => {
    const reached = new IsgError('unexpected', 'the storage was reached', { retry: 'permanent' });
    let allow = false;
    const access = withinScanDirectories(createUnusableAccess('s', '/m', reached), () => ({
      scan_directories: ['in'],
      allow_access_outside_scan_directories: allow,
    }));
    const expected = { sizeBytes: 1, mtimeNs: '1' };
    const calls = (path: string) => [
      async () => access.absolutePath(path),
      () => access.stat(path),
      () => access.digest(path, {}),
      () => access.digestRange({ path, offsetBytes: 0, lengthBytes: 1, algorithm: 'md5', expected }, {}),
      () => access.readText(path, 1),
      () => access.receiveFile({ url: 'u', path, sizeBytes: 1 }, {}),
      () => access.commitFile('in/x', path),
      () => access.removeFile(path, expected),
      () => access.readPart({ path, offsetBytes: 0, lengthBytes: 1, expected }, {}),
      () =>
        access.sendRange({ path, offsetBytes: 0, lengthBytes: 1, url: 'u', method: 'PUT', headers: {}, expected }, {}),
    ];
    for (const call of calls('out/a')) {
      await expect(call()).rejects.toMatchObject({ code: 'outside-storage', retry: 'permanent' });
    }
    for (const call of calls('in/a')) await expect(call()).rejects.toBe(reached);
    await expect(access.stat('out/.isg-pro-part-1-0')).rejects.toBe(reached);
    allow = true;
    for (const call of calls('out/a')) await expect(call()).rejects.toBe(reached);
  });
});
