import { StringDecoder } from 'node:string_decoder';

/** Longest piece kept of a line; the rest is dropped, so that a stream without line ends cannot fill the memory. */
const LINE_LIMIT = 8_192;
/** Lines passed on per second; a flood beyond is counted, not passed. Reading goes on, so the writer never blocks. */
const LINES_PER_SECOND = 200;

/** Splits a byte stream into lines. */
export interface OutputLines {
  push(chunk: Buffer): void;
  /** Passes on an unfinished last line. */
  end(): void;
}

/** Options of `createOutputLines`. */
export interface OutputLinesOptions {
  /** Every line, for the last words; cheap work only. */
  onLine(line: string): void;
  /** Lines within the budget, for the log. */
  onPassed(line: string): void;
  /** How many lines were left out since the last passed one. */
  onLeftOut(count: number): void;
  monotonicMs(): number;
}

/** A splitter: UTF-8 even where a character is cut between chunks, LF or CRLF, bounded in length and rate. */
export function createOutputLines(options: OutputLinesOptions): OutputLines {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let windowMs = Number.NEGATIVE_INFINITY;
  let passed = 0;
  let leftOut = 0;

  const take = (line: string) => {
    options.onLine(line);
    const nowMs = options.monotonicMs();
    if (nowMs - windowMs >= 1_000) {
      windowMs = nowMs;
      passed = 0;
    }
    if (passed >= LINES_PER_SECOND) {
      leftOut += 1;
      return;
    }
    passed += 1;
    reportLeftOut();
    options.onPassed(line);
  };
  const reportLeftOut = () => {
    if (leftOut === 0) return;
    options.onLeftOut(leftOut);
    leftOut = 0;
  };
  const feed = (text: string) => {
    const lines = text.split('\n');
    const last = lines.pop() ?? '';
    for (const line of lines) {
      take(clip((rest + line).replace(/\r$/, '')));
      rest = '';
    }
    rest = clip(rest + last);
  };
  return {
    push: (chunk) => feed(decoder.write(chunk)),
    end: () => {
      feed(decoder.end());
      if (rest !== '') take(rest);
      rest = '';
      reportLeftOut();
    },
  };
}

function clip(line: string): string {
  return line.length > LINE_LIMIT ? line.slice(0, LINE_LIMIT) : line;
}
