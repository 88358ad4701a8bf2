import { appendFileSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/**
 * What nodes under test note of themselves: one line each, appended at once, so that a SIGKILL loses none. Times are the
 * machine's monotonic clock, the same for all its processes, in milliseconds.
 */
const noteSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('up'), node: z.string(), atMs: z.number() }),
  /** A handler begins. */
  z.object({ kind: z.literal('start'), node: z.string(), at: z.number(), token: z.string(), atMs: z.number() }),
  /** An effect outside of the database, after `confirmLease`; `confirmMs` is when the confirmation was asked for. */
  z.object({
    kind: z.literal('effect'),
    node: z.string(),
    at: z.number(),
    token: z.string(),
    confirmMs: z.number(),
    atMs: z.number(),
  }),
  /** An offered end was answered. */
  z.object({
    kind: z.literal('end'),
    node: z.string(),
    jobId: z.string(),
    token: z.string(),
    state: z.string(),
    verdict: z.string(),
  }),
  /** The renewal brought news of a lease; `token` is a freed job that was taken back. */
  z.object({ kind: z.literal('news'), node: z.string(), news: z.string() }),
]);
/** One line. */
export type Note = z.infer<typeof noteSchema>;

/** The machine's monotonic clock, milliseconds. */
export const machineMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

/** Appends a line. */
export function writeNote(file: string, note: Note): void {
  appendFileSync(file, `${JSON.stringify(note)}\n`);
}

/** All lines so far. */
export function readNotes(file: string): Note[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => noteSchema.parse(JSON.parse(line)));
}

/** All notes of one kind. */
export function notesOf<Kind extends Note['kind']>(
  notes: readonly Note[],
  kind: Kind,
): Extract<Note, { kind: Kind }>[] {
  return notes.filter((note): note is Extract<Note, { kind: Kind }> => note.kind === kind);
}
