import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type ErrandStart, runErrand } from '../agent-host/agent-errand.ts';
import { AppError } from '../support/app-error.ts';
import type { AppStateStore } from './app-state-store.ts';

/** What making a support bundle needs. */
export interface SupportBundleParts {
  store: AppStateStore;
  errand: ErrandStart;
  /** Why the program cannot read what belongs into it, in words; null when it can. */
  hindrance?: () => string | null;
  temporaryFolder: string;
  /** Versions that only this process knows (Electron, Chromium). */
  versions: Readonly<Record<string, string | undefined>>;
}

/** Support bundles on demand, one at a time. */
export interface SupportBundle {
  /** Makes one; answers whether the file is there: false when it was cancelled. Throws `AppError` in words. */
  make(file: string): Promise<boolean>;
  cancel(): void;
}

/** Looking takes seconds, packing at most 50 MB of logs seconds more; a slow share may be the target. */
const LIMIT_MS = 180_000;

const progressSchema = z.object({ doing: z.string(), share: z.number().min(0).max(1) });

/** `isg-pro-support-<host>-<date>.zip`; whatever a host is called, it is a file name on every platform. Pure. */
export function bundleName(host: string, now: Date): string {
  const safe = host.replaceAll(/[^A-Za-z0-9-]+/g, '-').replaceAll(/^-+|-+$/g, '') || 'node';
  return `isg-pro-support-${safe.slice(0, 60)}-${now.toISOString().slice(0, 10)}.zip`;
}

/** The agent's program makes the bundle, whether or not an agent runs; this process adds what only it knows. */
export function createSupportBundle(parts: SupportBundleParts): SupportBundle {
  const { store, errand, temporaryFolder, versions } = parts;
  let running: AbortController | null = null;
  const make = async (file: string, stop: AbortController) => {
    const stateFile = join(temporaryFolder, `isg-pro-state-${randomUUID()}.json`);
    const onLine = (line: string) => {
      const progress = progressOf(line);
      if (progress !== null && !stop.signal.aborted) store.update({ bundle: progress });
    };
    store.update({ bundle: { doing: 'Starting', share: 0 } });
    try {
      const state = JSON.stringify({ ...store.get(), versions }, null, 2);
      await writeFile(stateFile, state, { mode: 0o600, flag: 'wx' });
      const flags = ['--support-bundle', file, '--app-state', stateFile, '--json'];
      const end = await runErrand(errand, { flags, onLine, signal: stop.signal, limitMs: LIMIT_MS });
      if (stop.signal.aborted || end.isLate || end.code !== 0) await rm(`${file}.part`, { force: true });
      if (stop.signal.aborted) return false;
      if (end.code === 0) return true;
      throw failure(
        end.isLate ? `It took longer than ${LIMIT_MS / 60_000} minutes; choose a local folder.` : lastLine(end.words),
      );
    } finally {
      store.update({ bundle: null });
      await rm(stateFile, { force: true });
    }
  };
  return {
    make: async (file) => {
      if (running !== null) throw failure('Another one is being made.');
      const why = parts.hindrance?.() ?? null;
      if (why !== null) throw failure(why);
      const stop = new AbortController();
      running = stop;
      try {
        return await make(file, stop);
      } finally {
        running = null;
      }
    },
    cancel: () => running?.abort(),
  };
}

/** What went wrong is said last. */
const lastLine = (words: string): string => words.split('\n').at(-1) ?? '';

function failure(words: string): AppError {
  const message = words.startsWith('The support bundle')
    ? words
    : `The support bundle was not made. ${words || 'Try again; main.log may have the reason.'}`;
  return new AppError('support-bundle-failed', message, 'transient');
}

function progressOf(line: string): z.infer<typeof progressSchema> | null {
  try {
    return progressSchema.parse(JSON.parse(line));
  } catch {
    // ignored because whatever else the program says is no progress
    return null;
  }
}
