import type { TrayIcon } from './tray-icon.ts';

/**
 * File of an icon below `build/icons/tray`. macOS colours template images itself (the name must end in `Template`);
 * Windows gets an icon for its light or dark panel; Linux a tile that can be read on any panel. `@2x` files stand beside. Pure.
 */
export function trayIconFile(icon: TrayIcon, platform: NodeJS.Platform, isPanelDark: boolean): string {
  if (platform === 'darwin') return `macos/${icon}Template.png`;
  if (platform === 'win32') return `windows/${icon}-${isPanelDark ? 'on-dark' : 'on-light'}.ico`;
  return `linux/${icon}.png`;
}
