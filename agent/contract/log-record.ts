/** Levels in order of severity; their places in the list are what is stored. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
/** How severe a record is. */
export type LogSeverity = (typeof LOG_LEVELS)[number];

/**
 * One log record with what it is about, as cache, `node_log` and the Logs screen have it. What does not apply is null. Text
 * is as it was written: whoever shows it interprets no markup in it.
 */
export interface LogRecord {
  level: LogSeverity;
  /** Wall clock of the node, milliseconds since the epoch; a label only, which may jump. */
  atMs: number;
  message: string;
  /** Name of the node (its storage gateway). */
  node: string | null;
  /** Worker id of the installation. */
  worker: string | null;
  /** Role in whose work it was said. */
  role: string | null;
  /** Id of the job. */
  job: string | null;
  /** Id of the storage in iconik. */
  storage: string | null;
  /** Term of the leadership. */
  term: number | null;
  /** Everything else; plain data. */
  fields: Record<string, unknown>;
}

/** Who writes records: known once per process. */
export type LogSource = Pick<LogRecord, 'node' | 'worker'>;

/** Whether a fact is told in full by its word; a number stays among the fields, too, so that its kind is not lost. */
const isTold = (value: unknown): boolean => typeof value === 'string' || value === undefined;

const wordOf = (value: unknown): string | null =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'bigint' ? String(value) : null;

/**
 * Takes what a record is about out of its fields: `role`, `jobId`, `storageId` and `term`, the names that the agent's
 * logger uses. Fields of these names whose values are no text (of `term`: no whole number) stay where they are. Pure.
 */
export function structureLogRecord(
  written: Pick<LogRecord, 'level' | 'atMs' | 'message' | 'fields'>,
  source: LogSource,
): LogRecord {
  const { role, jobId, storageId, term, ...rest } = written.fields;
  const fields: Record<string, unknown> = { ...rest };
  const facts = { role: wordOf(role), job: wordOf(jobId), storage: wordOf(storageId) };
  if (!isTold(role)) fields.role = role;
  if (!isTold(jobId)) fields.jobId = jobId;
  if (!isTold(storageId)) fields.storageId = storageId;
  const isTerm = typeof term === 'number' && Number.isSafeInteger(term);
  if (!isTerm && term !== undefined) fields.term = term;
  const { level, atMs, message } = written;
  return { level, atMs, message, ...source, ...facts, term: isTerm ? term : null, fields };
}
