import type { RecordKind } from '../../../db/queries/job-origin.ts';
import type { GatewayEvent } from '../../../iconik/api.ts';
import type { EventMeaning } from './gateway-event-table.ts';
import { meaningOf } from './gateway-event-table.ts';

/** What one event asks for, with everything that its data named. Pure; event data is not published (reference C.4). */
export type EventStep =
  | { kind: 'hint'; eventId: string; queues: readonly RecordKind[] }
  | { kind: 'cancel'; eventId: string; queues: readonly RecordKind[]; recordIds: string[]; iconikJobIds: string[] }
  | {
      kind: 'prioritise';
      eventId: string;
      queues: readonly RecordKind[];
      recordIds: string[];
      iconikJobIds: string[];
      priority: number;
    }
  /** Nothing to do but acknowledge; `note` says why, for the log. */
  | { kind: 'ignore'; eventId: string; queues: readonly RecordKind[]; type: string; note: string };

/** What to do about one event. Never throws, whatever the data holds. */
export function planEvent(event: GatewayEvent): EventStep {
  const meaning = meaningOf(event.type);
  if (meaning === null) return ignored(event, 'this version does not know the type');
  switch (meaning.kind) {
    case 'wake':
      return { kind: 'hint', eventId: event.id, queues: [meaning.queue] };
    case 'not-built':
      return ignored(event, meaning.why);
    case 'abort':
    case 'priority':
      return planChange(event, meaning);
    default:
      return meaning satisfies never;
  }
}

function planChange(event: GatewayEvent, meaning: Extract<EventMeaning, { kind: 'abort' | 'priority' }>): EventStep {
  const { recordIds, iconikJobIds } = namedIds(event.data);
  const { queues } = meaning;
  if (recordIds.length + iconikJobIds.length === 0)
    return ignored(event, 'its data names no record and no job', queues);
  if (meaning.kind === 'abort') return { kind: 'cancel', eventId: event.id, queues, recordIds, iconikJobIds };
  const priority = toPriority(event.data?.priority ?? event.data?.new_priority);
  if (priority === null) return ignored(event, 'its data names no priority from 1 to 10', queues);
  return { kind: 'prioritise', eventId: event.id, queues, recordIds, iconikJobIds, priority };
}

function ignored(event: GatewayEvent, note: string, queues: readonly RecordKind[] = []): EventStep {
  return { kind: 'ignore', eventId: event.id, queues, type: event.type, note };
}

const RECORD_KEYS = [
  'transfer_id',
  'record_id',
  'deletion_id',
  'transcode_id',
  'id',
  'transfer_ids',
  'record_ids',
  'ids',
];
const JOB_KEYS = ['job_id', 'job_ids', 'jobs', 'job'];

/** Ids of records and iconik jobs under any of the keys that could hold them. */
function namedIds(data: unknown): { recordIds: string[]; iconikJobIds: string[] } {
  if (typeof data !== 'object' || data === null) return { recordIds: [], iconikJobIds: [] };
  const under = (keys: readonly string[]) => {
    const found = keys.flatMap((key) => idsIn((data as Record<string, unknown>)[key]));
    return [...new Set(found)];
  };
  return { recordIds: under(RECORD_KEYS), iconikJobIds: under(JOB_KEYS) };
}

function idsIn(value: unknown): string[] {
  if (typeof value === 'string') return value !== '' && !value.includes('\0') ? [value] : [];
  if (Array.isArray(value)) return value.flatMap(idsIn);
  if (typeof value === 'object' && value !== null && 'id' in value) return idsIn(value.id);
  return [];
}

/** A priority from 1 to 10, or null. Numbers as text count. */
export function toPriority(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 10 ? number : null;
}
