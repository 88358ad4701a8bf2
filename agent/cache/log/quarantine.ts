import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';

// A damaged file is put aside and salvaged into a new one. A mark beside it stands from before the first rename until salvage
// is done: a process that is killed in between, or whose disk is full, goes on where it was when the file is opened next.

/** Salvage that ends its process again and again must come to an end. */
const MOST_ATTEMPTS = 5;

const markSchema = z.object({ aside: z.string().min(1), attempts: z.number().int().nonnegative() });
type Mark = z.infer<typeof markSchema>;

const markPath = (path: string): string => `${path}.salvaging`;
const asidePath = (path: string, { aside }: Mark): string => join(dirname(path), basename(aside));

function readMark(path: string): Mark | null {
  if (!existsSync(markPath(path))) return null;
  try {
    return markSchema.parse(JSON.parse(readFileSync(markPath(path), 'utf8')));
  } catch {
    // ignored because a mark that says nothing leads nowhere; what was put aside stays for who wants to look
    rmSync(markPath(path), { force: true });
    return null;
  }
}

/** In one step, so that a full disk leaves the former one. */
function writeMark(path: string, mark: Mark): void {
  writeFileSync(`${markPath(path)}.new`, JSON.stringify(mark), { mode: 0o640 });
  renameSync(`${markPath(path)}.new`, markPath(path));
}

/**
 * Marks a damaged, closed file as to be salvaged; `putAside` does the rest. A file that was damaged before its own salvage was
 * done has nothing that the one put aside has not: it goes. Throws what the file system throws.
 */
export function beginQuarantine(path: string, stamp: string): void {
  const mark = readMark(path);
  if (mark === null || !existsSync(asidePath(path, mark)))
    writeMark(path, { aside: `${basename(path)}.corrupt-${stamp}`, attempts: 0 });
  else for (const suffix of ['-wal', '-shm', '']) rmSync(`${path}${suffix}`, { force: true });
}

/** Renames a marked file with its journal, unless that was done; of those put aside before only this one stays. */
export function putAside(path: string): void {
  const mark = readMark(path);
  if (mark === null) return;
  const aside = asidePath(path, mark);
  if (existsSync(aside)) return;
  for (const name of readdirSync(dirname(path)))
    if (name.startsWith(`${basename(path)}.corrupt-`) && !name.startsWith(mark.aside))
      rmSync(join(dirname(path), name), { force: true });
  // SQLite makes it anew from the journal; a damaged one may only mislead.
  rmSync(`${path}-shm`, { force: true });
  // the file last: once it is there, all is
  for (const suffix of ['-wal', ''])
    if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${aside}${suffix}`);
}

/**
 * The file that is to be salvaged into the one at `path`, which is open and ours; null when there is none. `counts`: this is an
 * attempt of its own, and not the same process trying again because the disk was full. Throws what the file system throws.
 */
export function asideToSalvage(path: string, counts: boolean): string | null {
  const mark = readMark(path);
  if (mark === null) return null;
  const aside = asidePath(path, mark);
  if (!existsSync(aside) || (counts && mark.attempts >= MOST_ATTEMPTS)) {
    endQuarantine(path);
    return null;
  }
  if (counts) writeMark(path, { ...mark, attempts: mark.attempts + 1 });
  return aside;
}

/** Salvage is done. */
export function endQuarantine(path: string): void {
  rmSync(markPath(path), { force: true });
}
