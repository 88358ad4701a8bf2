import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of one directory: what a folder of an image sequence holds. */
const FILES_PER_DIRECTORY = 1_000;

/** Shape of a generated tree. */
export interface Tree {
  files: number;
  directories: number;
  /** Directories that hold files, relative to the root. */
  leaves: string[];
}

/** Path of the leaf with this number: half of them two levels deep, half five. */
function leafPath(leaf: number): string {
  const reel = `reel-${String(leaf).padStart(5, '0')}`;
  const project = `project-${leaf % 20}`;
  return leaf % 2 === 0 ? join(project, reel) : join(project, `day-${leaf % 7}`, 'camera-a', 'card', reel);
}

/** Name of a file in its leaf. */
export const fileName = (index: number): string => `clip_${String(index).padStart(4, '0')}.mov`;

/** Fills `root` with small files (the file's number as its content), 1,000 to a directory. */
export function growTree(root: string, files: number): Tree {
  const leaves: string[] = [];
  const directories = new Set<string>(['']);
  for (let made = 0; made < files; made += FILES_PER_DIRECTORY) {
    const leaf = leafPath(leaves.length);
    leaves.push(leaf);
    for (let at = leaf; at !== '.' && at !== ''; at = at.includes('/') ? at.slice(0, at.lastIndexOf('/')) : '')
      directories.add(at);
    const absolute = join(root, leaf);
    mkdirSync(absolute, { recursive: true });
    for (let index = 0; index < Math.min(FILES_PER_DIRECTORY, files - made); index += 1) {
      writeFileSync(join(absolute, fileName(index)), `${made + index}`);
    }
  }
  return { files, directories: directories.size, leaves };
}
