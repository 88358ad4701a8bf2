import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';

/** Files of one directory: what a folder of an image sequence holds. */
const FILES_PER_DIRECTORY = 1_000;

/** Path of the leaf with this number: half of them two levels deep, half five. */
function leafPath(leaf: number): string {
  const reel = `reel-${String(leaf).padStart(5, '0')}`;
  const project = `project-${leaf % 20}`;
  return leaf % 2 === 0 ? `${project}/${reel}` : `${project}/day-${leaf % 7}/camera-a/card/${reel}`;
}

const fileName = (index: number): string => `clip_${String(index).padStart(4, '0')}.mov`;

/** Fills `root` with sparse files of different sizes, 1,000 to a directory; answers the directories that hold files. */
export function growTree(root: string, files: number): string[] {
  const leaves: string[] = [];
  for (let made = 0; made < files; made += FILES_PER_DIRECTORY) {
    const leaf = join(root, leafPath(leaves.length));
    leaves.push(leaf);
    mkdirSync(leaf, { recursive: true });
    const count = Math.min(FILES_PER_DIRECTORY, files - made);
    for (let index = 0; index < count; index += 1) resize(join(leaf, fileName(index)), 1 + index);
  }
  return leaves;
}

function resize(path: string, bytes: number): void {
  const fd = openSync(path, 'a');
  ftruncateSync(fd, bytes);
  closeSync(fd);
}

/** Changes a hundredth of the files: every tenth in every tenth directory. Answers how many. */
export function changeHundredth(leaves: readonly string[], files: number): number {
  let changed = 0;
  const perLeaf = Math.min(FILES_PER_DIRECTORY, files);
  for (let leaf = 0; leaf < leaves.length; leaf += 10) {
    for (let index = 0; index < perLeaf; index += 10) {
      resize(join(leaves[leaf] ?? '', fileName(index)), 5_000 + index);
      changed += 1;
    }
  }
  return changed;
}

/** Path of some file, another one for each round. */
export const someFile = (leaves: readonly string[], round: number): string =>
  join(leaves[(round * 7) % leaves.length] ?? '', fileName(3));
