import { describe, expect, it } from 'vitest';
import { isConfigFolder, isDataFolder, type ServiceWish, wishProblems } from '../../../agent/service/service-rules.ts';

const WISH: ServiceWish = {
  platform: 'linux',
  user: undefined,
  group: undefined,
  configPath: '/etc/a/config.ini',
  dataDir: '/var/lib/isg-pro',
  program: ['/opt/node', '/opt/main.js'],
};
const said = (wish: Partial<ServiceWish>) => wishProblems({ ...WISH, ...wish }).join('\n');

describe('what stands against a service', () => {
  it('is nothing for an ordinary one', () => {
    expect(said({})).toBe('');
    expect(said({ platform: 'win32', user: 'STUDIO\\media$' })).toBe('');
  });

  it.each([
    [{ user: 'root' }, /must not own the machine/],
    [{ platform: 'win32', user: 'NT AUTHORITY\\SYSTEM' }, /must not own the machine/],
    [{ platform: 'win32', group: 'media' }, /means nothing on Windows/],
    [{ user: 'media\nRestart=no' }, /no name of an account/],
    [{ user: '-x' }, /no name of an account/],
    [{ dataDir: '/data\nUser=root' }, /control character/],
    [{ program: ['/tmp/.mount_ISGx/node', '/tmp/.mount_ISGx/main.js'] }, /AppImage cannot be a service/],
  ] satisfies [Partial<ServiceWish>, RegExp][])('%j is refused in words', (wish, words) => {
    expect(said(wish)).toMatch(words);
  });
});

describe('a folder that the service gets as a whole', () => {
  it.each([
    [null, true],
    [[], true],
    [['lock.db', 'logs'], true],
    [['Documents', '.bashrc'], false],
    [['cache', 'logs', 'www'], false],
  ])('%j: %s', (names, isOurs) => {
    expect(isDataFolder(names)).toBe(isOurs);
  });

  it('is that of config.ini only if nothing else lies there', () => {
    expect(isConfigFolder(null, 'config.ini')).toBe(true);
    expect(isConfigFolder(['config.ini', 'config.ini.bak', '.config.ini.tmp'], 'config.ini')).toBe(true);
    expect(isConfigFolder(['config.ini', 'gateway.exe'], 'config.ini')).toBe(false);
  });
});
