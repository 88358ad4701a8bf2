import type { RecordKind } from '../../../db/queries/job-origin.ts';

/** The 20 types of gateway events (reference C.4). */
export const GATEWAY_EVENT_TYPES = [
  'RESTART',
  'UPLOAD',
  'UPLOAD_ABORT',
  'UPLOAD_CHANGE_PRIORITY',
  'DOWNLOAD',
  'DOWNLOAD_ABORT',
  'DOWNLOAD_CHANGE_PRIORITY',
  'INGEST_UPLOAD',
  'DELETE',
  'TRANSCODE',
  'TRANSCODE_ABORT',
  'TRANSCODE_CHANGE_PRIORITY',
  'ASSET_MERGED',
  'REQUEST_COLLECTION_MAP',
  'ABORT_COLLECTION_MAP',
  'COLLECTION_DELETED',
  'RESET_INGEST_VALIDATION',
  'SCHEDULE_CHECKSUM_CALCULATION',
  'ABORT_JOBS_BULK',
  'MARK_MISSING_OUTSIDE_SCAN_DIRS',
] as const;
/** One type of gateway event. */
export type GatewayEventType = (typeof GATEWAY_EVENT_TYPES)[number];

/** A queue of iconik that lists records. */
export type QueueName = Exclude<RecordKind, 'event'>;

/** All queues of a storage. */
export const QUEUES: readonly QueueName[] = [
  'transfers_from',
  'transfers_to',
  'deletions',
  'transcode',
  'edge_transcode',
];

/** Kinds of MAIN jobs that events order. */
export const EVENT_JOB_KINDS = [
  'collection-map',
  'forget-collections',
  'follow-merge',
  'reset-validation',
  'read-again',
  'mark-outside-missing',
] as const;
/** One kind of MAIN job that events order. */
export type EventJobKind = (typeof EVENT_JOB_KINDS)[number];

/** What the leader does for an event. */
export type EventMeaning =
  /** Look into the queue now. */
  | { kind: 'wake'; queue: QueueName }
  /** Ask for the end of the jobs that the event names, after these queues were read. */
  | { kind: 'abort'; queues: readonly QueueName[]; kinds: readonly RecordKind[] }
  /** Give the jobs that the event names another priority. */
  | { kind: 'priority'; queues: readonly QueueName[]; kinds: readonly RecordKind[] }
  /** Ask for the end of all jobs of one kind that events ordered, or of those that the event names. */
  | { kind: 'abort-kind'; jobKind: EventJobKind }
  /** A MAIN job; `needs` is what the data must name for it to make sense. */
  | { kind: 'order'; jobKind: EventJobKind; needs: OrderNeed }
  /** Uploads of files that were ingested before. */
  | { kind: 'upload-ingested' }
  | { kind: 'restart' };

/** What an order must name: files in some way, collections, a merge, or nothing at all. */
export type OrderNeed = 'files' | 'collections' | 'merge' | 'nothing';

/** Meaning of every event type. README.md of this folder says it in words. */
export const EVENT_MEANINGS: Record<GatewayEventType, EventMeaning> = {
  UPLOAD: { kind: 'wake', queue: 'transfers_from' },
  DOWNLOAD: { kind: 'wake', queue: 'transfers_to' },
  DELETE: { kind: 'wake', queue: 'deletions' },
  TRANSCODE: { kind: 'wake', queue: 'transcode' },
  UPLOAD_ABORT: { kind: 'abort', queues: ['transfers_from'], kinds: ['transfers_from', 'event'] },
  DOWNLOAD_ABORT: { kind: 'abort', queues: ['transfers_to'], kinds: ['transfers_to'] },
  TRANSCODE_ABORT: { kind: 'abort', queues: ['transcode'], kinds: ['transcode', 'edge_transcode'] },
  ABORT_JOBS_BULK: {
    kind: 'abort',
    queues: ['transfers_from', 'transfers_to', 'deletions', 'transcode'],
    kinds: [...QUEUES, 'event'],
  },
  UPLOAD_CHANGE_PRIORITY: { kind: 'priority', queues: ['transfers_from'], kinds: ['transfers_from', 'event'] },
  DOWNLOAD_CHANGE_PRIORITY: { kind: 'priority', queues: ['transfers_to'], kinds: ['transfers_to'] },
  TRANSCODE_CHANGE_PRIORITY: { kind: 'priority', queues: ['transcode'], kinds: ['transcode', 'edge_transcode'] },
  RESTART: { kind: 'restart' },
  INGEST_UPLOAD: { kind: 'upload-ingested' },
  ASSET_MERGED: { kind: 'order', jobKind: 'follow-merge', needs: 'merge' },
  REQUEST_COLLECTION_MAP: { kind: 'order', jobKind: 'collection-map', needs: 'nothing' },
  ABORT_COLLECTION_MAP: { kind: 'abort-kind', jobKind: 'collection-map' },
  COLLECTION_DELETED: { kind: 'order', jobKind: 'forget-collections', needs: 'collections' },
  RESET_INGEST_VALIDATION: { kind: 'order', jobKind: 'reset-validation', needs: 'nothing' },
  SCHEDULE_CHECKSUM_CALCULATION: { kind: 'order', jobKind: 'read-again', needs: 'files' },
  MARK_MISSING_OUTSIDE_SCAN_DIRS: { kind: 'order', jobKind: 'mark-outside-missing', needs: 'nothing' },
};

/** Meaning of an event's type; null for a type that this version does not know. */
export function meaningOf(type: string): EventMeaning | null {
  return Object.hasOwn(EVENT_MEANINGS, type) ? EVENT_MEANINGS[type as GatewayEventType] : null;
}
