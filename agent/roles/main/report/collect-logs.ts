import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Most text that one upload carries; iconik names no limit. All files that the agent keeps have less. */
const MOST_BYTES = 40 * 1024 * 1024;
/** Files of this node's logs; the first group says whose. A rotated file has a number, larger = older. */
const LOG_NAME = /^(agent|main)(?:\.\d+)?\.log$/;

const compress = promisify(gzip);

/** What collecting needs. */
export interface CollectLogsOptions {
  /** Folder of the text files. */
  folder: string;
  /** A text without the values that must never get out. They are struck out when written; this knows those learned since. */
  redact: (text: string) => string;
  mostBytes?: number;
}

interface FoundFile {
  name: string;
  bytes: number;
  modifiedMs: number;
}

/**
 * This node's log files, redacted, in one gzip file: newest files as far as the limit reaches, each under a line with its
 * name, oldest first. A file that is rotated away meanwhile is left out. One file is in memory at a time (5 MB).
 */
export async function collectLogs(options: CollectLogsOptions): Promise<Buffer> {
  const { folder, redact, mostBytes = MOST_BYTES } = options;
  const members: Buffer[] = [];
  for (const { name } of chosen(await findFiles(folder), mostBytes)) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => null);
    // Gzip files one after the other are one gzip file.
    if (text !== null) members.push(await compress(redact(`==== ${name}\n${text}\n`)));
  }
  return members.length > 0 ? Buffer.concat(members) : compress('');
}

async function findFiles(folder: string): Promise<FoundFile[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => LOG_NAME.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      const facts = await stat(join(folder, name)).catch(() => null);
      return facts?.isFile() ? [{ name, bytes: facts.size, modifiedMs: facts.mtimeMs }] : [];
    }),
  );
  return found.flat();
}

function chosen(files: readonly FoundFile[], mostBytes: number): FoundFile[] {
  let bytes = 0;
  return files
    .toSorted((a, b) => b.modifiedMs - a.modifiedMs)
    .filter((file) => {
      bytes += file.bytes;
      return bytes <= mostBytes;
    })
    .reverse();
}
