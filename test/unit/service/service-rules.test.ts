import { describe, expect, it } from 'vitest';
import {
  configEntryProblem,
  dataFolderProblem,
  isConfigFolder,
  type ServiceWish,
  wishProblems,
} from '../../../agent/service/service-rules.ts';

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

const folder = (names: readonly string[] | null, over: { isRemoval?: boolean; isNamed?: boolean } = {}) =>
  dataFolderProblem(names, { dataDir: '/data', isRemoval: false, isNamed: false, ...over });

describe('the group of a named account', () => {
  it('is never let in unless it is named, as it is often everybody’s', () => {
    expect(said({ user: 'media' })).toMatch(/needs --service-group, too/);
    expect(said({ user: 'media', group: 'node-operators' })).toBe('');
    expect(said({ platform: 'win32', user: 'STUDIO\\media' })).toBe('');
  });
});

describe('a folder that the service gets as a whole', () => {
  it.each([
    [null],
    [[]],
    [['lock.db', 'logs']],
    // an agent that found no configuration; the folder of the socket on macOS
    [['logs']],
    [['run']],
    [['lock.db', 'worker-id', 'worker-id.4711.new', 'highest-term', 'status.json.new', 'desktop', 'updates']],
    [['lost+found', 'lock.db', 'temp', 'cache', 'embedded-db', 'token.sealed', 'config.ini', 'config.ini.bak']],
  ])('may hold %j', (names) => {
    expect(folder(names)).toBeNull();
  });

  it.each([
    [['Documents', '.bashrc']],
    [['cache', 'logs', 'www']],
    // a home where an agent has worked once
    [['lock.db', 'cache', 'logs', 'Documents']],
    [['notes.new']],
  ])('may not hold %j, and is told what stands there', (names) => {
    expect(folder(names)).toContain(names.at(-1));
    expect(folder(names, { isRemoval: true, isNamed: true })).toMatch(/nothing was changed/);
  });

  it('is removed only if an agent has worked there, or the definition of the service names it', () => {
    expect(folder(['logs'], { isRemoval: true })).toMatch(/no agent has worked there/);
    expect(folder(['logs'], { isRemoval: true, isNamed: true })).toBeNull();
    expect(folder(['logs', 'lock.db'], { isRemoval: true })).toBeNull();
  });
});

describe('config.ini that the service gets', () => {
  const entry = { isLink: false, isFile: true, uid: 1_000, links: 1 };

  it('is a file with one name, or a link of root', () => {
    expect(configEntryProblem('/c', null)).toBeNull();
    expect(configEntryProblem('/c', entry)).toBeNull();
    expect(configEntryProblem('/c', { ...entry, isLink: true, isFile: false, uid: 0 })).toBeNull();
    expect(configEntryProblem('/c', { ...entry, isLink: true, isFile: false })).toMatch(/a link that is not root's/);
    expect(configEntryProblem('/c', { ...entry, links: 2 })).toMatch(/other names/);
    expect(configEntryProblem('/c', { ...entry, isFile: false })).toMatch(/no file/);
  });

  it('has its folder to itself only if nothing else lies there', () => {
    expect(isConfigFolder(null, 'config.ini')).toBe(true);
    expect(isConfigFolder(['config.ini', 'config.ini.bak', '.config.ini.tmp'], 'config.ini')).toBe(true);
    expect(isConfigFolder(['config.ini', 'gateway.exe'], 'config.ini')).toBe(false);
  });
});
