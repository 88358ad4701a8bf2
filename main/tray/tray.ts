import { join } from 'node:path';
import { Menu, type MenuItemConstructorOptions, Notification, nativeImage, nativeTheme, Tray } from 'electron';
import type { TrayNotification } from './notifications-model.ts';
import { trayIconFile } from './tray-icon-file.ts';
import type { TrayAction, TrayItem, TrayModel } from './tray-model.ts';

/** The tray of the system, drawn from models; decides nothing itself. Make it after `app` is ready. */
export interface SystemTray {
  /** Draws the model; what has not changed is not touched (an open menu would close). */
  update(model: TrayModel): void;
  /** Shows a notification of the system; a click leads to its screen. */
  notify(notification: TrayNotification): void;
  destroy(): void;
}

/** What the tray is made of. */
export interface SystemTrayOptions {
  /** Folder of the tray icons: `build/icons/tray`, wherever it is in this installation. */
  iconFolder: string;
  platform: NodeJS.Platform;
  onAction(action: TrayAction): void;
}

/** Puts the icon into the system's tray. */
export function createSystemTray(model: TrayModel, options: SystemTrayOptions): SystemTray {
  const image = (icon: TrayModel['icon']) =>
    nativeImage.createFromPath(
      join(
        options.iconFolder,
        trayIconFile(icon, options.platform, nativeTheme.shouldUseDarkColorsForSystemIntegratedUI),
      ),
    );
  const tray = new Tray(image(model.icon));
  // Without a reference the system's notifications are collected, and their clicks lost.
  const notifications = new Set<Notification>();
  let shown: TrayModel | null = null;

  const drawIcon = () => {
    if (shown !== null) tray.setImage(image(shown.icon));
  };
  const update = (next: TrayModel) => {
    const before = shown;
    shown = next;
    if (before?.icon !== next.icon) drawIcon();
    if (before?.tooltip !== next.tooltip) tray.setToolTip(next.tooltip);
    // Linux draws a changed menu only when it is set again.
    if (JSON.stringify(before?.items) !== JSON.stringify(next.items)) tray.setContextMenu(menuOf(next.items, options));
  };
  nativeTheme.on('updated', drawIcon);
  // Elsewhere a click opens the menu by itself.
  if (options.platform === 'win32') tray.on('click', () => options.onAction({ do: 'open', screen: null }));
  update(model);
  return {
    update,
    notify: ({ title, body, screen }) => {
      if (!Notification.isSupported()) return;
      const notification = new Notification({ title, body });
      notifications.add(notification);
      notification.once('click', () => options.onAction({ do: 'open', screen }));
      notification.once('close', () => notifications.delete(notification));
      notification.show();
    },
    destroy: () => {
      nativeTheme.off('updated', drawIcon);
      tray.destroy();
    },
  };
}

function menuOf(items: readonly TrayItem[], options: SystemTrayOptions): Menu {
  return Menu.buildFromTemplate(
    items.map((item): MenuItemConstructorOptions => {
      if (item.kind === 'separator') return { type: 'separator', id: item.id };
      // A lone & marks an access key on Windows and Linux.
      const label = options.platform === 'darwin' ? item.label : item.label.replaceAll('&', '&&');
      return { id: item.id, label, enabled: item.enabled, click: () => options.onAction(item.action) };
    }),
  );
}
