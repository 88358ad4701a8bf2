import { describe, expect, it } from 'vitest';
import { relaunchOptions } from '../../../main/lifecycle/relaunch.ts';

describe('the application that starts anew', () => {
  const argv = ['/mount/x/isg-pro', '--data-dir', '/d', '--hidden'];
  const args = argv.slice(1);

  it('keeps its arguments, and of an AppImage starts the image', () => {
    const env = { APPIMAGE: '/home/a/isg-pro.AppImage', APPDIR: '/mount/x' };
    expect(relaunchOptions({ argv, env, execPath: '/mount/x/isg-pro' })).toEqual({ args, execPath: env.APPIMAGE });
  });

  it('is not the image of another program that started it, nor anything else than itself without one', () => {
    const foreign = { APPIMAGE: '/home/a/terminal.AppImage', APPDIR: '/mount/x' };
    for (const execPath of ['/opt/ISG Pro/isg-pro', '/mount/xy/isg-pro'])
      expect(relaunchOptions({ argv, env: foreign, execPath })).toEqual({ args });
    for (const env of [{}, { APPIMAGE: '/a' }, { APPIMAGE: '/a', APPDIR: '' }, { APPIMAGE: '', APPDIR: '/mount/x' }])
      expect(relaunchOptions({ argv, env, execPath: '/mount/x/isg-pro' })).toEqual({ args });
  });
});
