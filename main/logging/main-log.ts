import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import electronLog from 'electron-log/node.js';
import { formatLogLine, LEVEL_RANK, type LogFields, type LogLevel } from './log-line.ts';

/** The application's log. No call throws. */
export type Log = Record<LogLevel, (message: string, fields?: LogFields) => void>;

/** Size at which a new file is begun, and how many older ones are kept: 25 MB at most. */
const MAX_BYTES = 5_000_000;
const KEPT_FILES = 4;
/** Rotated files that were last written longer ago go. */
const KEPT_MS = 30 * 86_400_000;

/** Writes main.log in the folder (rotated to main.1.log and up) and, when not packaged, standard error. */
export function createMainLog(options: { folder: string; least: LogLevel; echo: boolean }): Log {
  const { folder, least, echo } = options;
  const writeToFile = createFileWriter(folder);
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (LEVEL_RANK[level] < LEVEL_RANK[least]) return;
      const line = formatLogLine(level, message, fields, Date.now());
      writeToFile(line);
      if (echo) process.stderr.write(`${line}\n`);
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function createFileWriter(folder: string): (line: string) => void {
  const logger = electronLog.create({ logId: `file:${folder}` });
  for (const transport of Object.values(logger.transports)) if (transport) transport.level = false;
  const { file } = logger.transports;
  const nameOf = (n: number) => join(folder, n === 0 ? 'main.log' : `main.${n}.log`);
  file.resolvePathFn = () => nameOf(0);
  file.maxSize = MAX_BYTES;
  file.writeOptions = { flag: 'a', mode: 0o640, encoding: 'utf8' };
  const removeOld = () => {
    for (let n = 1; n <= KEPT_FILES; n += 1) if (ageMs(nameOf(n)) > KEPT_MS) rmSync(nameOf(n), { force: true });
  };
  removeOld();
  file.archiveLogFn = () => {
    for (let n = KEPT_FILES - 1; n >= 0; n -= 1) if (existsSync(nameOf(n))) renameSync(nameOf(n), nameOf(n + 1));
    removeOld();
  };
  // our lines are finished; electron-log's own formatting would read "%" in them
  file.transforms = [({ data }) => data];
  return (line) => {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o750 });
      file.getFile();
      file({ data: line, date: new Date(), level: 'info' } as never);
    } catch {
      // ignored because a full or vanished disk must not end the application
    }
  };
}

/** Since a file was last written, milliseconds; 0 when there is none. */
function ageMs(path: string): number {
  try {
    return Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  } catch {
    // ignored because a folder that cannot be looked at must not keep the application from starting
    return 0;
  }
}
