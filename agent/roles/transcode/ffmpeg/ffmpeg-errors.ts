import { type ErrorCode, IsgError } from '../../../runtime/errors.ts';

/** One kind of trouble, told by ffmpeg's own words. The first rule that matches a line decides. */
interface Rule {
  pattern: RegExp;
  code: ErrorCode;
  retry: 'transient' | 'permanent';
  /** What it means and what to do. */
  meaning: string;
}

const RULES: readonly Rule[] = [
  {
    pattern: /no space left on device|disk quota exceeded|enospc/i,
    code: 'disk-full',
    retry: 'transient',
    meaning: 'The disk for temporary files is full; make room, the job is tried again.',
  },
  {
    // A Matroska reader calls a file that ends in the middle of an element an input/output error, too; of the storage's it says
    // "Read error". What a file refers to elsewhere is never opened, in whatever words a reader says so.
    pattern: /file ended prematurely|unsafe file name|protocol not found|not on whitelist/i,
    code: 'media-unreadable',
    retry: 'permanent',
    meaning: 'The clip is cut short, damaged, or a list of other files; replace the file to try again.',
  },
  {
    pattern: /input\/output error|stale file handle|transport endpoint|connection timed out|host is down/i,
    code: 'storage-unavailable',
    retry: 'transient',
    meaning:
      'The storage stopped answering while the file was read, or the file is damaged; the job is tried again as long as the storage may be the cause.',
  },
  {
    pattern: /cannot allocate memory|resource temporarily unavailable/i,
    code: 'ffmpeg-failed',
    retry: 'transient',
    meaning: 'This machine is short of memory; the job is tried again.',
  },
  {
    pattern: /permission denied|operation not permitted/i,
    code: 'file-unreadable',
    retry: 'transient',
    meaning: 'This node may not read the file; check the rights of its user on the storage.',
  },
  {
    pattern: /no such file or directory/i,
    code: 'file-not-found',
    retry: 'transient',
    meaning: 'The file went away; if it comes back, it is tried again.',
  },
  {
    pattern: /unknown encoder|unrecognized option|option .* not found|no such filter/i,
    code: 'ffmpeg-missing',
    retry: 'transient',
    meaning: 'This ffmpeg lacks something that is needed; install a complete one or set ffmpeg-path.',
  },
  {
    pattern:
      /invalid data found|moov atom not found|codec parameters|decoder .*not found|unknown decoder|does not contain any|matches no streams|output file is empty|nothing was written|received no packets|error while decoding|end of file|not implemented|invalid argument|max pixel count|picture size .* is invalid|header missing|truncat/i,
    code: 'media-unreadable',
    retry: 'permanent',
    meaning: 'The clip is damaged or of a kind ffmpeg cannot read; replace the file to try again.',
  },
];

/** Lines quoted in a message; the last ones say why ffmpeg gave up. */
const QUOTED_LINES = 3;

/** ffmpeg's last lines as one sentence: addresses and the absolute path in front of a reason mean nothing to people. */
export function quoteLines(lines: readonly string[], path: string): string {
  const cleaned = lines
    .map((line) =>
      line
        .replace(/ @ 0x[0-9a-f]+/g, '')
        .replaceAll(`file:${path}: `, '')
        .replaceAll(`${path}: `, '')
        .trim(),
    )
    .filter((line) => line !== '');
  return [...new Set(cleaned)].slice(-QUOTED_LINES).join('; ');
}

/** What one failed run looked like. */
export interface FailedRun {
  program: 'ffmpeg' | 'ffprobe';
  /** The media file it read. */
  path: string;
  exitCode: number | null;
  signalName: string | null;
  /** Last lines of its error output. */
  lines: readonly string[];
}

/** How much of a path is looked for in a line that may have been cut within it. */
const PATH_HEAD = 400;

/** A line without the name of the file: names can read like reasons. */
function withoutPath(line: string, path: string): string {
  const plain = path === '' ? line : line.replaceAll(path, '');
  const cutAt = path.length > PATH_HEAD ? plain.indexOf(path.slice(0, PATH_HEAD)) : -1;
  return cutAt === -1 ? plain : plain.slice(0, cutAt);
}

/** The rule that the lines of a run match, by order of the rules. */
function matchingRule({ lines, path }: Pick<FailedRun, 'lines' | 'path'>): Rule | undefined {
  const plain = lines.map((line) => withoutPath(line, path));
  return RULES.find((rule) => plain.some((line) => rule.pattern.test(line)));
}

/**
 * Classifies a run that ended badly. Killed by someone else = transient (out of memory, an operator); what ffmpeg said
 * decides the rest; an unknown reason is transient, so that a wrong guess costs attempts and not a clip.
 */
export function ffmpegError(run: FailedRun): IsgError {
  const words = quoteLines(run.lines, run.path) || 'it gave no reason';
  const fields = { program: run.program, path: run.path, exitCode: run.exitCode, signal: run.signalName };
  if (run.signalName !== null) {
    const message = `${run.program} was ended by ${run.signalName} before it was done (${words}). The job is tried again.`;
    return new IsgError('ffmpeg-failed', message, { retry: 'transient', fields });
  }
  const rule = matchingRule(run);
  if (rule) return new IsgError(rule.code, `${run.program}: ${words}. ${rule.meaning}`, { retry: rule.retry, fields });
  const message = `${run.program} failed with exit code ${run.exitCode}: ${words}. The job is tried again.`;
  return new IsgError('ffmpeg-failed', message, { retry: 'transient', fields });
}

/**
 * ffmpeg takes a read error in the middle of a file for its end and exits with 0. Throws when the lines of a run that
 * ended well tell of one, so that a proxy cut short by a failing storage is not published.
 */
export function assertNoReadError(run: Omit<FailedRun, 'exitCode' | 'signalName'>): void {
  const rule = matchingRule(run);
  if (rule?.code === 'storage-unavailable' || rule?.code === 'disk-full') {
    throw ffmpegError({ ...run, exitCode: 0, signalName: null });
  }
}

/** The error of a program that could not be started at all. */
export function programMissing(program: string, cause: unknown): IsgError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new IsgError(
    'ffmpeg-missing',
    `${program} cannot be started (${reason}). This node makes no proxies until it is there; install it or set ffmpeg-path and ffprobe-path.`,
    { retry: 'transient', cause, fields: { program } },
  );
}
