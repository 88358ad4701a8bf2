import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { lastUpdateSchema } from '../../preload/contract/app-state.ts';

/**
 * What an update must know across the restart that it causes. Synchronous, because the count of starts must be on disk before
 * anything of a new version can fail.
 */

/** The program that an update replaces, as it was kept. */
const oldProgramSchema = z.object({
  /** The kept file: the old AppImage, or the old installer. */
  file: z.string(),
  sha512: z.string(),
  /** Where it goes back to; empty for an installer. */
  place: z.string(),
});
/** The program that an update replaces. */
export type OldProgram = z.infer<typeof oldProgramSchema>;

const memorySchema = z.object({
  /** An installation that is not known to have worked; null when there is none. */
  pending: z
    .object({
      phase: z.enum(['installing', 'rolling-back']),
      from: z.string(),
      to: z.string(),
      turn: z.number().int().nullable(),
      /** Starts of the new version so far. */
      starts: z.number().int().nonnegative(),
      /** Tries to go back so far; absent before the first. */
      backs: z.number().int().nonnegative().optional(),
      why: z.string(),
      old: oldProgramSchema.nullable(),
    })
    .nullable(),
  /** Versions that this node does not install by itself again, newest last. */
  failed: z.array(z.string()),
  last: lastUpdateSchema.nullable(),
  /** What the cluster is still to be told. */
  report: z
    .object({
      turn: z.number().int().nullable(),
      outcome: z.enum(['given-up', 'installed', 'failed']),
      version: z.string(),
    })
    .nullable(),
});
/** What is remembered. */
export type UpdateMemory = z.infer<typeof memorySchema>;

/** Nothing is remembered. */
export const BLANK_MEMORY: UpdateMemory = { pending: null, failed: [], last: null, report: null };

/** Reads the file; a missing or damaged one is as if nothing had been. Never throws. */
export function readMemory(file: string): UpdateMemory {
  try {
    return memorySchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    // ignored because without memory a node goes on with the version that runs, which is all it can do
    return BLANK_MEMORY;
  }
}

/** Replaces the file as a whole: after a kill at any moment the old or the new content is there. Throws what the file system throws. */
export function writeMemory(file: string, memory: UpdateMemory): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(handle, JSON.stringify(memory));
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temporary, file);
  syncFolder(dirname(file));
}

/** A rename is on disk when its folder is. Windows has no such call, and needs none. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
