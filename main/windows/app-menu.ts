import { Menu, type MenuItemConstructorOptions } from 'electron';

/** The window's menu: editing and zoom by keyboard everywhere, and the platform's own menus on macOS. */
export function setAppMenu(options: { isMac: boolean; isPackaged: boolean }): void {
  const view: MenuItemConstructorOptions[] = [{ role: 'resetZoom' }, { role: 'zoomIn' }, { role: 'zoomOut' }];
  if (!options.isPackaged) view.push({ type: 'separator' }, { role: 'reload' }, { role: 'toggleDevTools' });
  const mac: MenuItemConstructorOptions[] = options.isMac ? [{ role: 'appMenu' }] : [];
  const windows: MenuItemConstructorOptions[] = options.isMac ? [{ role: 'windowMenu' }] : [];
  const menus = [...mac, { role: 'editMenu' as const }, { label: 'View', submenu: view }, ...windows];
  Menu.setApplicationMenu(Menu.buildFromTemplate(menus));
}
