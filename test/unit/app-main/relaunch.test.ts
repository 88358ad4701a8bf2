import { expect, it } from 'vitest';
import { relaunchOptions } from '../../../main/lifecycle/relaunch.ts';

it('an application that starts anew keeps its arguments, and of an AppImage starts the image', () => {
  const args = ['--data-dir', '/d', '--hidden'];
  const env = { APPIMAGE: '/home/a/isg-pro.AppImage', APPDIR: '/mount/x' };
  const relaunched = (execPath: string) =>
    relaunchOptions({ platform: 'linux', argv: [execPath, ...args], env, execPath });
  expect(relaunched('/mount/x/isg-pro')).toEqual({ args, execPath: env.APPIMAGE });
  // not the image of another program that started it
  expect(relaunched('/opt/ISG Pro/isg-pro')).toEqual({ args });
});
