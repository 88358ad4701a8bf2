// Limits of iconik's schema for reports and telemetry (reference C.5).
/** Most lines of the log. */
export const LOG_LINES = 50;
/** Most lines of errors. */
export const ERROR_LINES = 10;
const LINE_LENGTH = 2000;

/** The newest lines that fit iconik's limits; lines come oldest first and stay so. */
export function logLineFields(
  lines: readonly string[],
  errorLines: readonly string[],
): { log_lines: string[]; error_log_lines: string[] } {
  return { log_lines: newest(lines, LOG_LINES), error_log_lines: newest(errorLines, ERROR_LINES) };
}

function newest(lines: readonly string[], count: number): string[] {
  return lines.slice(-count).map((line) => clip(line, LINE_LENGTH));
}

/** The text cut to a length that iconik takes, never inside a character. */
export function clip(text: string, length: number): string {
  return text
    .toWellFormed()
    .slice(0, length)
    .replace(/[\uD800-\uDBFF]$/, '');
}
