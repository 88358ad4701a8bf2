import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDefinition } from '../../../agent/service/installed-service.ts';
import { launchdPlist } from '../../../agent/service/launchd-plan.ts';
import { systemdUnit } from '../../../agent/service/systemd-plan.ts';
import { windowsTask } from '../../../agent/service/windows-plan.ts';

const facts = (program: readonly [string, string], configPath: string, dataDir: string) => ({
  program,
  configPath,
  dataDir,
  configFile: configPath,
  hasConfig: true,
  isConfigFolderOurs: true,
  changesOwner: false,
  user: 'STUDIO&co',
  group: 'a<b',
  isOwnUser: false,
  isOwnGroup: false,
  caller: undefined,
  stopLimitMs: 1_000,
  systemdVersion: 252,
  uid: 1,
  gid: 1,
  taskFile: '',
  systemRoot: '',
});
const path = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
    fc.array(fc.constantFrom('\\', '"', ' ', 'a', '%', '$', '&', '<', '&amp;')).map((parts) => parts.join('')),
  )
  .map((text) => `/${text.replace(/\p{C}/gu, ' ')}`);

describe('the definition of an installed service', () => {
  it.each([
    ['linux', systemdUnit, 'a<b'],
    ['darwin', launchdPlist, 'a<b'],
    ['win32', windowsTask, undefined],
  ] as const)(
    'says on %s which folders and whose it was installed with, whatever characters they hold',
    (platform, write, group) => {
      fc.assert(
        fc.property(path, path, path, path, (node, entry, configPath, dataDir) => {
          const text = write(facts([node, entry], configPath, dataDir));
          expect(readDefinition(platform, text)).toEqual({ configPath, dataDir, user: 'STUDIO&co', group });
        }),
      );
    },
  );

  it('names the account of Windows in words, as the next installation takes it', () => {
    const user = 'NT AUTHORITY\\NetworkService';
    const text = windowsTask({ ...facts(['C:\\node.exe', 'C:\\main.js'], 'C:\\c.ini', 'C:\\d'), user });
    expect(readDefinition('win32', text)).toMatchObject({ user });
  });

  it.each(['linux', 'darwin', 'win32'] as const)('that is none of ours says nothing on %s', (platform) => {
    expect(readDefinition(platform, '')).toBeNull();
    const texts = {
      linux: '[Service]\nUser=a\nExecStart=/usr/bin/sleep 5\n',
      darwin: '<key>UserName</key><string>a</string><key>ProgramArguments</key><array><string>sleep</string></array>',
      win32: '<UserId>a</UserId><Arguments>/c "dir</Arguments>',
    };
    expect(readDefinition(platform, texts[platform])).toBeNull();
  });
});
