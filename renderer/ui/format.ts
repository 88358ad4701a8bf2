/**
 * Numbers and times as people read them: SI sizes, units always, durations rounded to what matters. Pure; absolute times
 * are in this machine's zone.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'] as const;

/** `12,345`. */
export function formatCount(count: number): string {
  return counts.format(count);
}

/** `1 job`, `12,345 jobs`; `many` when the plural is not made by an s. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** Three digits that matter: `9.87`, `98.7`, `987`. */
function threeDigits(value: number): string {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** SI size: `0 B`, `512 B`, `1.50 MB`, `98.7 GB`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : threeDigits(value)} ${BYTE_UNITS[unit]}`;
}

/** `12.3 MB/s`. */
export function formatByteRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** `42%` of a share between 0 and 1; never `100%` before the end. */
export function formatPercent(share: number): string {
  const clamped = Math.min(1, Math.max(0, share));
  return `${clamped === 1 ? 100 : Math.floor(clamped * 100)}%`;
}

/** One unit, the largest that fits: `40 s`, `3 min`, `3 h`, `12 d`. For ages and sentences. */
export function formatDuration(ms: number): string {
  const clamped = Math.max(0, ms);
  if (clamped < MINUTE_MS) return `${Math.floor(clamped / SECOND_MS)} s`;
  if (clamped < HOUR_MS) return `${Math.floor(clamped / MINUTE_MS)} min`;
  if (clamped < 2 * DAY_MS) return `${Math.floor(clamped / HOUR_MS)} h`;
  return `${Math.floor(clamped / DAY_MS)} d`;
}

/** Two units where the second matters: `40 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`. For things being watched. */
export function formatDurationExact(ms: number): string {
  const clamped = Math.max(0, ms);
  if (clamped < MINUTE_MS) return `${Math.floor(clamped / SECOND_MS)} s`;
  const [large, largeWord, small, smallWord] =
    clamped < HOUR_MS
      ? [MINUTE_MS, 'min', SECOND_MS, 's']
      : clamped < DAY_MS
        ? [HOUR_MS, 'h', MINUTE_MS, 'min']
        : [DAY_MS, 'd', HOUR_MS, 'h'];
  const rest = Math.floor((clamped % large) / small);
  const whole = `${Math.floor(clamped / large)} ${largeWord}`;
  return rest === 0 ? whole : `${whole} ${rest} ${smallWord}`;
}

/** `just now`, `12 s ago`, `3 min ago`, `in 5 s`. */
export function formatRelative(atMs: number, nowMs: number): string {
  const ageMs = nowMs - atMs;
  if (ageMs <= -SECOND_MS) return `in ${formatDuration(-ageMs + SECOND_MS - 1)}`;
  return ageMs < 2 * SECOND_MS ? 'just now' : `${formatDuration(ageMs)} ago`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `2026-11-22 19:56:12`, this machine's zone. */
export function formatAbsolute(atMs: number): string {
  const at = new Date(atMs);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `19:56`, this machine's zone. */
export function formatClock(atMs: number): string {
  const at = new Date(atMs);
  return `${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function formatList(words: readonly string[], last: 'and' | 'or' = 'and'): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}

/** `storage-file` → `Storage file`: a word of the contract as people read it. */
export function sentenceCase(word: string): string {
  const spaced = word.replaceAll(/[-_]/g, ' ').toLowerCase();
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
