import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What there is to digest: paths below `root`, and for each group a file that lists them absolutely, one a line. */
export interface BenchFiles {
  root: string;
  large: string;
  eight: string[];
  small: string[];
  lists: { large: string; eight: string; small: string };
}

const PIECE_BYTES = 2 ** 20;
const FILES_PER_DIRECTORY = 1_000;

/** Writes the files, each with bytes of its own; just written, they lie in memory. */
export function writeBenchFiles(
  root: string,
  sizes: { largeBytes: number; eightBytes: number; smallFiles: number; smallBytes: number },
): BenchFiles {
  const large = 'large.bin';
  writeRandom(join(root, large), sizes.largeBytes);
  const eight = Array.from({ length: 8 }, (_, number) => `eight-${number}.bin`);
  for (const path of eight) writeRandom(join(root, path), sizes.eightBytes);
  const small = writeSmallFiles(root, sizes.smallFiles, sizes.smallBytes);
  const list = (name: string, paths: readonly string[]) => {
    const file = join(root, `${name}.list`);
    writeFileSync(file, paths.map((path) => `${join(root, path)}\n`).join(''));
    return file;
  };
  return {
    root,
    large,
    eight,
    small,
    lists: { large: list('large', [large]), eight: list('eight', eight), small: list('small', small) },
  };
}

function writeRandom(file: string, bytes: number): void {
  const piece = randomBytes(PIECE_BYTES);
  const fd = openSync(file, 'w');
  for (let at = 0; at < bytes; at += PIECE_BYTES) {
    piece.writeUInt32LE(at / PIECE_BYTES, 0);
    writeSync(fd, piece, 0, Math.min(PIECE_BYTES, bytes - at));
  }
  closeSync(fd);
}

function writeSmallFiles(root: string, count: number, bytes: number): string[] {
  const content = randomBytes(bytes);
  return Array.from({ length: count }, (_, number) => {
    const directory = `reel-${Math.floor(number / FILES_PER_DIRECTORY)}`;
    if (number % FILES_PER_DIRECTORY === 0) mkdirSync(join(root, directory));
    content.writeUInt32LE(number, 0);
    const path = `${directory}/frame-${String(number).padStart(7, '0')}.dpx`;
    writeFileSync(join(root, path), content);
    return path;
  });
}
