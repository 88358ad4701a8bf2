import { createOutputLines, type OutputLines } from './output-lines.ts';

/** Lines of standard error kept for the reason of a failure. */
const LAST_WORDS = 20;

/** What one run of the agent writes to its standard output and error. */
export interface RunOutput {
  push(stream: 'stdout' | 'stderr', chunk: Buffer): void;
  /** Both streams are closed. */
  end(): void;
  /** Last lines of standard error, oldest first. */
  lastWords(): readonly string[];
}

/** Collects the output of one run; `onLine` gets the lines for the text log, bounded in rate. */
export function createRunOutput(onLine: (stream: 'stdout' | 'stderr', line: string) => void): RunOutput {
  const lastWords: string[] = [];
  const linesOf = (stream: 'stdout' | 'stderr'): OutputLines =>
    createOutputLines({
      onLine: (line) => {
        if (stream === 'stderr' && lastWords.push(line) > LAST_WORDS) lastWords.shift();
      },
      onPassed: (line) => onLine(stream, line),
      onLeftOut: (count) => onLine(stream, `(${count} lines left out: the agent wrote too many)`),
      monotonicMs: () => performance.now(),
    });
  const lines = { stdout: linesOf('stdout'), stderr: linesOf('stderr') };
  return {
    push: (stream, chunk) => lines[stream].push(chunk),
    end: () => {
      lines.stdout.end();
      lines.stderr.end();
    },
    lastWords: () => lastWords,
  };
}
