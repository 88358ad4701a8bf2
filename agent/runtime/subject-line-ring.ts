import type { LineRing } from './log-sinks.ts';
import { createLineRing } from './log-sinks.ts';
import type { LogRecord, LogSink } from './logger.ts';

/** Subjects that are remembered; the one that was logged about least lately is forgotten first. */
const MOST_SUBJECTS = 100;

/** The last lines of the log by what they are about. */
export interface SubjectLineRing {
  sink: LogSink;
  /** The last lines about the subject or about none, newest last. */
  about(subject: string): { log: string[]; error: string[] };
}

/** Keeps the last lines about each subject that `subjectOf` names, and those about none (null), each within `limits`. */
export function createSubjectLineRing(
  subjectOf: (record: LogRecord) => string | null,
  limits: { lines: number; errorLines: number; maxChars: number },
): SubjectLineRing {
  const rings = new Map<string | null, LineRing>();
  const ringOf = (subject: string | null): LineRing => {
    const ring = rings.get(subject) ?? createLineRing(limits);
    rings.delete(subject);
    rings.set(subject, ring);
    if (rings.size > MOST_SUBJECTS) {
      const oldest = [...rings.keys()].find((key) => key !== null);
      if (oldest !== undefined) rings.delete(oldest);
    }
    return ring;
  };
  // Lines begin with their instant in UTC, so that the order of the text is that of time.
  const merged = (subject: string, read: (ring: LineRing) => string[], count: number): string[] =>
    [...read(ringOf(null)), ...read(ringOf(subject))].sort(byInstant).slice(-count);
  return {
    sink: (record) => ringOf(subjectOf(record)).sink(record),
    about: (subject) => ({
      log: merged(subject, (ring) => ring.lines(), limits.lines),
      error: merged(subject, (ring) => ring.errorLines(), limits.errorLines),
    }),
  };
}

const INSTANT_LENGTH = new Date(0).toISOString().length;

function byInstant(a: string, b: string): number {
  const [left, right] = [a.slice(0, INSTANT_LENGTH), b.slice(0, INSTANT_LENGTH)];
  return left < right ? -1 : left > right ? 1 : 0;
}
