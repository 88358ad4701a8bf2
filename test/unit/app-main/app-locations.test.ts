import { describe, expect, it } from 'vitest';
import { findLocations, type LaunchFacts } from '../../../main/lifecycle/app-locations.ts';

const VENDORS = '/etc/iconik/iconik_storage_gateway/config.ini';
const OWN = '/home/ann/.local/share/isg-pro/config.ini';

function find(over: Partial<LaunchFacts> = {}, files: Record<string, string> = {}) {
  return findLocations({
    argv: [],
    env: {},
    platform: 'linux',
    homeDir: '/home/ann',
    cwd: '/work-folder',
    readText: (path) => files[path] ?? null,
    ...over,
  });
}

describe('findLocations', () => {
  it('uses the data of the user, also for root', () => {
    expect(find()).toEqual({
      dataDir: '/home/ann/.local/share/isg-pro',
      configPath: OWN,
      logFolder: '/home/ann/.local/share/isg-pro/logs',
      profileDir: '/home/ann/.local/share/isg-pro/desktop',
      isHidden: false,
    });
  });

  it("finds the vendor's config.ini, and prefers its own", () => {
    expect(find({}, { [VENDORS]: '' }).configPath).toBe(VENDORS);
    expect(find({}, { [VENDORS]: '', [OWN]: '' }).configPath).toBe(OWN);
  });

  it('lets flags win over the environment, and takes relative paths from where it was started', () => {
    const env = { ISG_PRO_CONFIG: '/env.ini', ISG_PRO_DATA_DIR: '/env' };
    expect(find({ env })).toMatchObject({ configPath: '/env.ini', dataDir: '/env' });
    const argv = ['--no-sandbox', '--config', 'a/b.ini', '--data-dir=d', '--hidden', '.'];
    expect(find({ env, argv })).toMatchObject({
      configPath: '/work-folder/a/b.ini',
      dataDir: '/work-folder/d',
      isHidden: true,
    });
  });

  it('does not take the next flag for a value', () => {
    expect(find({ argv: ['--config', '--hidden'] })).toMatchObject({ configPath: OWN, isHidden: true });
  });

  it('keeps the data where config.ini says, unless the folder was named', () => {
    const files = { [OWN]: '[main]\ndata_dir = /big/disk\n' };
    const moved = find({}, files);
    expect(moved).toMatchObject({ dataDir: '/big/disk', logFolder: '/big/disk/logs', configPath: OWN });
    expect(moved.profileDir).toBe('/home/ann/.local/share/isg-pro/desktop');
    const named = find({ argv: ['--data-dir', '/d', '--config', OWN] }, files);
    expect(named.dataDir).toBe('/d');
  });
});
