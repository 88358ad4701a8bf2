import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { app, type BaseWindow, clipboard, dialog, shell } from 'electron';
import type { ConfigDesk } from '../config-file/config-desk.ts';
import type { MainCallHandlers } from '../ipc/guarded-ipc.ts';
import { readLogFiles } from '../logging/read-log-files.ts';
import { AppError } from '../support/app-error.ts';
import type { Updates } from '../updates/updates.ts';
import type { AppStateStore } from './app-state-store.ts';
import type { FullCheck } from './full-check.ts';
import { openLogFolder } from './open-log-folder.ts';
import { bundleName, type SupportBundle } from './support-bundle.ts';

/** What main's own calls work on. */
export interface MainCallParts {
  store: AppStateStore;
  desk: ConfigDesk;
  logFolder: string;
  restartAgent: () => void;
  check: FullCheck;
  bundle: SupportBundle;
  updates: Pick<Updates, 'check' | 'install' | 'postpone'>;
  /** Reads config.ini anew after a change of ours. */
  followConfig: () => Promise<void>;
  /** Parent of dialogs. */
  window: () => BaseWindow | null;
}

/** Main's own calls. */
export function createMainCalls(parts: MainCallParts): MainCallHandlers {
  const { store, desk, logFolder } = parts;
  return {
    'app.state': () => store.get(),
    'app.open-log-folder': () => openLogFolder(logFolder),
    'app.copy-text': async ({ text }) => {
      await clipboard.writeText(text);
      return {};
    },
    'app.export-text': ({ suggestedName, text }) => exportText(parts.window(), suggestedName, text),
    'app.choose-folder': ({ title }) => chooseFolder(parts.window(), title),
    'app.run-check': async () => {
      await parts.check.run();
      return {};
    },
    'app.save-support-bundle': () => saveBundle(parts.window(), parts.bundle),
    'app.cancel-support-bundle': () => {
      parts.bundle.cancel();
      return {};
    },
    'agent.restart': () => {
      parts.restartAgent();
      return {};
    },
    'app.check-for-update': () => {
      parts.updates.check();
      return {};
    },
    'app.install-update': () => {
      parts.updates.install();
      return {};
    },
    'app.postpone-update': () => {
      parts.updates.postpone();
      return {};
    },
    'config.read': () => desk.read(),
    'config.write': async (params) => {
      const written = await desk.write(params);
      if (written.problems.length + written.conflicts.length === 0) await parts.followConfig();
      return written;
    },
    'config.restore': async () => {
      await desk.restore();
      await parts.followConfig();
      return {};
    },
    'logs.read-files': (request) => readLogFiles(logFolder, request),
  };
}

async function exportText(window: BaseWindow | null, suggestedName: string, text: string): Promise<{ saved: boolean }> {
  // a name, never a path: where it goes is for the user to say
  const name = suggestedName.replaceAll(/[^\w. -]+/g, '-').replace(/^[. ]+/, '') || 'export.txt';
  const options = { defaultPath: join(app.getPath('documents'), name) };
  const { canceled, filePath } = await (window === null
    ? dialog.showSaveDialog(options)
    : dialog.showSaveDialog(window, options));
  if (canceled || filePath === '') return { saved: false };
  try {
    await writeFile(filePath, text, 'utf8');
    return { saved: true };
  } catch (thrown) {
    const why = thrown instanceof Error && 'code' in thrown ? ` (${String(thrown.code)})` : '';
    const words = `${filePath} could not be written${why}. Choose another folder, or free some space.`;
    throw new AppError('export-failed', words, 'transient', thrown);
  }
}

async function saveBundle(window: BaseWindow | null, bundle: SupportBundle): Promise<{ path: string | null }> {
  const options = {
    title: 'Save the support bundle',
    defaultPath: join(app.getPath('downloads'), bundleName(hostname(), new Date())),
    filters: [{ name: 'Zip archive', extensions: ['zip'] }],
  };
  const { canceled, filePath } = await (window === null
    ? dialog.showSaveDialog(options)
    : dialog.showSaveDialog(window, options));
  if (canceled || filePath === '' || !(await bundle.make(filePath))) return { path: null };
  shell.showItemInFolder(filePath);
  return { path: filePath };
}

async function chooseFolder(window: BaseWindow | null, title: string): Promise<{ path: string | null }> {
  const options = { title, properties: ['openDirectory' as const, 'createDirectory' as const] };
  const { canceled, filePaths } = await (window === null
    ? dialog.showOpenDialog(options)
    : dialog.showOpenDialog(window, options));
  return { path: canceled ? null : (filePaths[0] ?? null) };
}
