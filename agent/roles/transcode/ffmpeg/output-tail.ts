/** How much of one line is kept; a longer one is cut. */
const LINE_CHARACTERS = 500;

/** Splits a stream of text into lines in bounded memory: what exceeds the limits is dropped, never stored. */
export interface LineSplitter {
  push(chunk: string): void;
  /** Ends the last line. */
  end(): void;
}

/** A splitter that hands each non-empty line, cut to 500 characters, to `onLine`. Carriage returns end lines too. */
export function createLineSplitter(onLine: (line: string) => void): LineSplitter {
  let rest = '';
  const emit = () => {
    if (rest.trim() !== '') onLine(rest);
    rest = '';
  };
  return {
    push(chunk) {
      const pieces = chunk.split(/\r\n|\r|\n/);
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) emit();
        if (rest.length < LINE_CHARACTERS) rest += piece.slice(0, LINE_CHARACTERS - rest.length);
      }
    },
    end: emit,
  };
}

/** The last `limit` lines of what was pushed. */
export interface LineTail {
  push(line: string): void;
  lines(): string[];
}

/** A tail of at most `limit` lines. */
export function createLineTail(limit: number): LineTail {
  const kept: string[] = [];
  return {
    push(line) {
      kept.push(line);
      if (kept.length > limit) kept.shift();
    },
    lines: () => [...kept],
  };
}
