import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LOG_LIMITS, type LogFileFacts, type LogLimits, type PlannedLog, planLogs } from './bundle-plan.ts';
import { codeOf } from './collect-facts.ts';

/** What the bundle says of one file of the log folder. */
export interface LogNote {
  name: string;
  sizeBytes: number;
  /** In words: whole, the end, or why not. */
  taken: string;
}

/** Lists and plans the files of the log folder; one that cannot be looked at is noted, not fatal. */
export async function findLogs(
  folder: string,
  limits: LogLimits = LOG_LIMITS,
): Promise<{ logs: PlannedLog[]; notes: LogNote[] }> {
  const notes: LogNote[] = [];
  const files: LogFileFacts[] = [];
  const names = await readdir(folder).catch((thrown: unknown) => {
    notes.push({ name: folder, sizeBytes: 0, taken: `the folder cannot be read: ${codeOf(thrown)}` });
    return [];
  });
  for (const name of names) {
    try {
      const facts = await stat(join(folder, name));
      if (facts.isFile()) files.push({ name, sizeBytes: facts.size, modifiedMs: facts.mtimeMs });
    } catch (thrown) {
      notes.push({ name, sizeBytes: 0, taken: `not: ${codeOf(thrown)}` });
    }
  }
  const planned = planLogs(files, limits);
  for (const { name, sizeBytes, takeBytes } of planned) {
    if (takeBytes === 0) notes.push({ name, sizeBytes, taken: sizeBytes === 0 ? 'empty' : 'not: no log, or no room' });
  }
  return { logs: planned.filter(({ takeBytes }) => takeBytes > 0), notes };
}

/**
 * The last `takeBytes` bytes of a log from the beginning of a line, or why it cannot be read. A line that was cut might end
 * in half a secret, which nothing would recognise.
 */
export async function readLog(
  folder: string,
  { name, sizeBytes, takeBytes }: PlannedLog,
): Promise<LogNote & { text: string }> {
  try {
    const file = await open(join(folder, name), 'r');
    try {
      const from = Math.max(0, sizeBytes - takeBytes);
      const buffer = Buffer.alloc(takeBytes);
      const { bytesRead } = await file.read(buffer, 0, takeBytes, from);
      const text = buffer.toString('utf8', 0, bytesRead);
      if (from === 0) return { name, sizeBytes, taken: 'whole', text };
      const cut = text.indexOf('\n') + 1;
      return { name, sizeBytes, taken: `its last ${bytesRead - cut} bytes`, text: cut === 0 ? '' : text.slice(cut) };
    } finally {
      await file.close();
    }
  } catch (thrown) {
    return { name, sizeBytes, taken: `not: ${codeOf(thrown)}`, text: '' };
  }
}
