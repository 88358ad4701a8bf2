import type { RecordJob, RecordKind } from '../../../db/queries/job-origin.ts';
import type { GatewayEvent } from '../../../iconik/api.ts';
import { type EventData, readEventData } from './event-data.ts';
import type { EventJobKind, EventMeaning, OrderNeed, QueueName } from './gateway-event-table.ts';
import { meaningOf } from './gateway-event-table.ts';

/** What one event asks for. `queues` are to be read before it is carried out. */
export type EventStep = { eventId: string; type: string; queues: readonly QueueName[] } & (
  | { kind: 'hint' }
  | { kind: 'cancel'; kinds: readonly RecordKind[]; recordIds: string[]; iconikJobIds: string[] }
  | { kind: 'cancel-kind'; jobKind: EventJobKind }
  | {
      kind: 'prioritise';
      kinds: readonly RecordKind[];
      recordIds: string[];
      iconikJobIds: string[];
      priority: number;
    }
  | { kind: 'order'; job: RecordJob }
  | { kind: 'upload-ingested'; data: EventData }
  | { kind: 'restart' }
  /** Nothing to do but acknowledge; `note` says why, for the log. */
  | { kind: 'ignore'; note: string }
);

const NEEDS: Record<OrderNeed, { isMet(data: EventData): boolean; note: string }> = {
  files: {
    isMet: (data) => data.fileIds.length + data.assetIds.length + data.paths.length > 0,
    note: 'its data names no file',
  },
  collections: { isMet: (data) => data.collectionIds.length > 0, note: 'its data names no collection' },
  merge: { isMet: (data) => data.merge !== null, note: 'its data does not tell which asset became which' },
  nothing: { isMet: () => true, note: '' },
};

/** What to do about one event of a storage. Pure; never throws, whatever the data holds. */
export function planEvent(event: GatewayEvent, storageId: string): EventStep {
  const base = { eventId: event.id, type: event.type, queues: [] };
  const meaning = meaningOf(event.type);
  if (meaning === null) return { ...base, kind: 'ignore', note: 'this version does not know the type' };
  const data = readEventData(event.data);
  switch (meaning.kind) {
    case 'wake':
      return { ...base, kind: 'hint', queues: [meaning.queue] };
    case 'abort':
    case 'priority':
      return planChange(base, data, meaning);
    case 'abort-kind':
      if (data.iconikJobIds.length === 0) return { ...base, kind: 'cancel-kind', jobKind: meaning.jobKind };
      return { ...base, kind: 'cancel', kinds: ['event'], recordIds: [], iconikJobIds: data.iconikJobIds };
    case 'order':
      if (!NEEDS[meaning.needs].isMet(data)) return { ...base, kind: 'ignore', note: NEEDS[meaning.needs].note };
      return { ...base, kind: 'order', job: eventJob(event.id, storageId, { jobKind: meaning.jobKind, data }) };
    case 'upload-ingested':
      if (data.fileIds.length + data.assetIds.length + data.fileSetIds.length + data.paths.length === 0)
        return { ...base, kind: 'ignore', note: NEEDS.files.note };
      return { ...base, kind: 'upload-ingested', data };
    case 'restart':
      return { ...base, kind: 'restart' };
    default:
      return meaning satisfies never;
  }
}

function planChange(
  base: { eventId: string; type: string },
  { recordIds, iconikJobIds, priority }: EventData,
  { kind, queues, kinds }: Extract<EventMeaning, { kind: 'abort' | 'priority' }>,
): EventStep {
  const step = { ...base, queues };
  if (recordIds.length + iconikJobIds.length === 0)
    return { ...step, kind: 'ignore', note: 'its data names no record and no job' };
  if (kind === 'abort') return { ...step, kind: 'cancel', kinds, recordIds, iconikJobIds };
  if (priority === null) return { ...step, kind: 'ignore', note: 'its data names no priority from 1 to 10' };
  return { ...step, kind: 'prioritise', kinds, recordIds, iconikJobIds, priority };
}

/** The MAIN job of an event. The event's id is the origin: one that is delivered twice is carried out once. */
function eventJob(
  eventId: string,
  storageId: string,
  { jobKind, data }: { jobKind: EventJobKind; data: EventData },
): RecordJob {
  const { fileIds, assetIds, paths, collectionIds, merge, priority } = data;
  return {
    job: {
      role: 'MAIN',
      kind: jobKind,
      storageId,
      payload: { storageId, fileIds, assetIds, paths, collectionIds, merge },
      ...(priority === null ? {} : { priority }),
      dedupeKey: `event:${eventId}`,
      origin: { kind: 'event', recordId: eventId, storageId, iconikJobId: iconikJobOf(data) },
    },
    failure: null,
  };
}

/** The iconik job that an event's data names first; null when it names none that could be one. */
export function iconikJobOf(data: EventData): string | null {
  return data.iconikJobIds.find((id) => UUID.test(id)) ?? null;
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
