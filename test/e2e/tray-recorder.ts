import type { ElectronApplication } from '@playwright/test';
import type { Menu, NativeImage, Tray } from 'electron';

/** What the system's tray was told at one instant. */
export interface TrayTold {
  atMs: number;
  /** Name of the icon, without its platform and theme; null before the first. */
  icon: string | null;
  tooltip: string;
  /** Separators are left out. */
  items: { id: string; label: string; enabled: boolean }[];
}

declare global {
  /** In Electron main, put there by `recordTray`. */
  var trayRecord: { told: TrayTold[]; menu: Menu | null } | undefined;
}

/**
 * Listens to every call that main makes to the system's tray; the calls go on to the system. Has to begin before the agent
 * has answered, so that no state that lasts is missed.
 */
export async function recordTray(app: ElectronApplication): Promise<void> {
  await app.evaluate((electron) => {
    const record: NonNullable<typeof globalThis.trayRecord> = { told: [], menu: null };
    globalThis.trayRecord = record;
    const tell = (change: Partial<TrayTold>) => {
      const before = record.told.at(-1) ?? { icon: null, tooltip: '', items: [] };
      record.told.push({ ...before, ...change, atMs: Date.now() });
    };
    const paths = new WeakMap<NativeImage, string>();
    const createFromPath = electron.nativeImage.createFromPath.bind(electron.nativeImage);
    electron.nativeImage.createFromPath = (path) => {
      const image = createFromPath(path);
      paths.set(image, path);
      return image;
    };
    const prototype: Pick<Tray, 'setImage' | 'setToolTip' | 'setContextMenu'> = electron.Tray.prototype;
    const { setImage, setToolTip, setContextMenu } = prototype;
    prototype.setImage = function (this: Tray, image) {
      const path = typeof image === 'string' ? image : (paths.get(image) ?? '');
      tell({ icon: path.replace(/^.*[\\/]/, '').replace(/\.[^.]+$/, '') });
      setImage.call(this, image);
    };
    prototype.setToolTip = function (this: Tray, tooltip) {
      tell({ tooltip });
      setToolTip.call(this, tooltip);
    };
    prototype.setContextMenu = function (this: Tray, menu) {
      record.menu = menu;
      const items = (menu?.items ?? []).filter(({ type }) => type !== 'separator');
      tell({ items: items.map(({ id, label, enabled }) => ({ id, label, enabled })) });
      setContextMenu.call(this, menu);
    };
  });
}

/** All that the tray was told, oldest first. */
export function trayHistory(app: ElectronApplication): Promise<TrayTold[]> {
  return app.evaluate(() => globalThis.trayRecord?.told ?? []);
}

/** What the tray shows now; empty before it was told anything. */
export async function trayNow(app: ElectronApplication): Promise<TrayTold> {
  return (await trayHistory(app)).at(-1) ?? { atMs: 0, icon: null, tooltip: '', items: [] };
}

/** Chooses an item of the tray's menu. */
export async function chooseTrayItem(app: ElectronApplication, id: string): Promise<void> {
  const found = await app.evaluate((_, wanted) => {
    const item = globalThis.trayRecord?.menu?.getMenuItemById(wanted);
    if (item?.enabled) item.click();
    return item?.enabled ?? null;
  }, id);
  if (found !== true) throw new Error(`the tray has no item ${id} that can be chosen`);
}
