import type { EndedRecord, IconikStep } from '../../../db/queries/job-origin.ts';
import { recordKey } from '../../../db/queries/job-origin.ts';
import type { JobPatch, JobStepPatch } from '../../../iconik/api.ts';

// What iconik is told about ended records. Pure.

/** Records that are told together: those of one iconik job, or a single one without. */
export interface SettleGroup {
  /** Names the group in back-off and logs. */
  key: string;
  iconikJobId: string | null;
  records: EndedRecord[];
}

/** Puts records of the same iconik job together; order is that of the first record of each. */
export function groupRecords(records: readonly EndedRecord[]): SettleGroup[] {
  const groups = Map.groupBy(records, (record) => record.iconikJobId ?? recordKey(record));
  return [...groups].map(([key, members]) => ({ key, iconikJobId: members[0]?.iconikJobId ?? null, records: members }));
}

/** The longest error text sent; iconik shows it in one line. */
const MESSAGE_LENGTH = 2000;

/** The end of an iconik job: failed when any record failed, else aborted when any was cancelled, else finished. */
export function endPatch(records: readonly EndedRecord[]): JobPatch {
  const completedAt = records
    .map((record) => record.finishedAt)
    .filter((at) => at !== null)
    .toSorted()
    .at(-1);
  const end = completedAt === undefined ? {} : { completed_at: completedAt };
  const failed = records.find((record) => record.end === 'failed' || record.end === 'gone');
  if (failed) return { status: 'FAILED', error_message: errorText(failed), ...end };
  if (records.some((record) => record.end === 'cancelled')) return { status: 'ABORTED', ...end };
  const warning = records.find((record) => record.warning)?.warning;
  const all = { progress_processed: 100, progress_total: 100, ...end };
  if (warning) return { status: 'FINISHED_WITH_WARNING', message: shown(warning), ...all };
  return { status: 'FINISHED', ...all };
}

/** What the steps of an iconik job end as: those that a record names by that record, those of the whole job (`more`) by it. */
export function endedSteps(records: readonly EndedRecord[], more: readonly IconikStep[]): JobStepPatch[] {
  const own = records.flatMap((record) => record.steps.map((step) => ({ ...step, ...stepEnd([record]) })));
  const named = new Set(own.map((step) => step.id));
  const others = more.filter((step) => !named.has(step.id)).map((step) => ({ ...step, ...stepEnd(records) }));
  return [...own, ...others];
}

function stepEnd(records: readonly EndedRecord[]): Pick<JobStepPatch, 'status' | 'error_message'> {
  const { status, error_message } = endPatch(records);
  if (status === 'FAILED') return { status: 'FAILED', ...(error_message === undefined ? {} : { error_message }) };
  return { status: status === 'ABORTED' ? 'SKIPPED' : 'DONE' };
}

function errorText(record: EndedRecord): string {
  if (record.end === 'gone') return 'The node has lost the record of this work. Order it again.';
  const text = record.errorMessage || 'The work failed; the log of the node says more.';
  return shown(text);
}

const shown = (text: string): string => text.slice(0, MESSAGE_LENGTH).toWellFormed();

/** How the record itself ends in its queue. */
export function recordOutcome(record: EndedRecord): 'completed' | 'failed' {
  return record.end === 'done' ? 'completed' : 'failed';
}
