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

/** All queues of a storage. */
export const QUEUES: readonly RecordKind[] = ['transfers_from', 'transfers_to', 'deletions', 'transcode'];

/** What the leader does for an event. */
export type EventMeaning =
  /** Look into the queue now. */
  | { kind: 'wake'; queue: RecordKind }
  /** Ask for the end of the jobs that the event names, in these queues. */
  | { kind: 'abort'; queues: readonly RecordKind[] }
  /** Give the jobs that the event names another priority. */
  | { kind: 'priority'; queues: readonly RecordKind[] }
  /** Acknowledged without effect; `why` is logged once. */
  | { kind: 'not-built'; why: string };

/** Meaning of every event type. */
export const EVENT_MEANINGS: Record<GatewayEventType, EventMeaning> = {
  UPLOAD: { kind: 'wake', queue: 'transfers_from' },
  DOWNLOAD: { kind: 'wake', queue: 'transfers_to' },
  DELETE: { kind: 'wake', queue: 'deletions' },
  TRANSCODE: { kind: 'wake', queue: 'transcode' },
  UPLOAD_ABORT: { kind: 'abort', queues: ['transfers_from'] },
  DOWNLOAD_ABORT: { kind: 'abort', queues: ['transfers_to'] },
  TRANSCODE_ABORT: { kind: 'abort', queues: ['transcode'] },
  ABORT_JOBS_BULK: { kind: 'abort', queues: QUEUES },
  UPLOAD_CHANGE_PRIORITY: { kind: 'priority', queues: ['transfers_from'] },
  DOWNLOAD_CHANGE_PRIORITY: { kind: 'priority', queues: ['transfers_to'] },
  TRANSCODE_CHANGE_PRIORITY: { kind: 'priority', queues: ['transcode'] },
  RESTART: { kind: 'not-built', why: 'restarting the node from iconik is not built yet; restart it where it runs' },
  INGEST_UPLOAD: {
    kind: 'not-built',
    why: 'uploading originals that were ingested earlier is not built yet; order a transfer of the files instead',
  },
  ASSET_MERGED: {
    kind: 'not-built',
    why: 'following a merge of assets is not built yet; the files keep the old asset id',
  },
  REQUEST_COLLECTION_MAP: { kind: 'not-built', why: 'mapping folders to collections is not built yet' },
  ABORT_COLLECTION_MAP: { kind: 'not-built', why: 'mapping folders to collections is not built yet' },
  COLLECTION_DELETED: { kind: 'not-built', why: 'mapping folders to collections is not built yet' },
  RESET_INGEST_VALIDATION: {
    kind: 'not-built',
    why: 'ingest validation is not built yet, so there is nothing to reset',
  },
  SCHEDULE_CHECKSUM_CALCULATION: {
    kind: 'not-built',
    why: 'checksums on demand are not built yet; every scanned file gets one',
  },
  MARK_MISSING_OUTSIDE_SCAN_DIRS: {
    kind: 'not-built',
    why: 'marking files outside the scan directories as missing is not built yet',
  },
};

/** Meaning of an event's type; null for a type that this version does not know. */
export function meaningOf(type: string): EventMeaning | null {
  return Object.hasOwn(EVENT_MEANINGS, type) ? EVENT_MEANINGS[type as GatewayEventType] : null;
}
