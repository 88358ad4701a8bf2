import { randomUUID } from 'node:crypto';
import { type IconikState, isoNow } from '../state/iconik-state.ts';
import { keysetPage } from '../state/paging.ts';
import type { Row, Table } from '../state/table.ts';
import { type Answer, type Call, found, type Handlers, listed } from './call.ts';
import { storageOf } from './storages.ts';

/** The queues that a gateway drains (reference C.12–C.14): name in the state and the field that names its storage. */
const QUEUES = {
  transfers_from: { table: 'transfersFrom', storageField: 'original_storage_id' },
  transfers_to: { table: 'transfersTo', storageField: 'local_storage_id' },
  deletions: { table: 'deletions', storageField: 'storage_id' },
  transcode: { table: 'transcodes', storageField: 'storage_id' },
} as const;
type QueueName = keyof typeof QUEUES;

const tableOf = (state: IconikState, queue: QueueName): Table => state[QUEUES[queue].table];

function list(call: Call, queue: QueueName): Answer {
  const table = tableOf(call.state, queue);
  const rows = table.where({ [QUEUES[queue].storageField]: storageOf(call).id });
  return listed(keysetPage(rows, table, call));
}

function recordOf(call: Call, queue: QueueName, id: string | undefined): Row {
  const record = tableOf(call.state, queue).get(id);
  const isHere = record?.[QUEUES[queue].storageField] === storageOf(call).id;
  return found(isHere ? record : undefined, 'Record');
}

function end(call: Call, queue: QueueName, record: Row): Answer {
  tableOf(call.state, queue).remove(record.id);
  const outcome = call.query.failed ? 'failed' : call.query.completed ? 'completed' : 'removed';
  call.state.ended.push({ queue, outcome, record });
  if (queue === 'deletions') removeDeleted(call.state, record);
  return { status: 204 };
}

/** The deletion is done: the file record goes, and its file set when that was the last file. */
function removeDeleted(state: IconikState, deletion: Row): void {
  const file = state.files.get(deletion.file_id);
  if (!file) return;
  state.files.remove(file.id);
  state.removed.push(file);
  const fileSet = state.fileSets.get(file.file_set_id);
  if (fileSet && state.files.where({ file_set_id: fileSet.id }).length === 0) {
    state.fileSets.remove(fileSet.id);
    state.removed.push(fileSet);
  }
}

function listEvents(call: Call): Answer {
  const { events } = call.state;
  const after = typeof call.query.last_id === 'string' ? events.position(call.query.last_id) : -1;
  const objects = events.where({ storage_id: storageOf(call).id }).filter((event) => events.position(event.id) > after);
  return { status: 200, body: { objects } };
}

/** Queues an event for the gateway of a storage. */
export function addEvent(state: IconikState, storageId: string, type: string, data: Record<string, unknown>): Row {
  return state.events.insert({ id: randomUUID(), storage_id: storageId, type, data, date_created: isoNow(state) });
}

const eventHandlers: Handlers = {
  'GET /API/files/v1/storages/{storage_id}/gateway/events/': listEvents,
  'POST /API/files/v1/storages/{storage_id}/gateway/events/': (call) => ({
    status: 201,
    body: addEvent(
      call.state,
      storageOf(call).id,
      String(call.body.type),
      (call.body.data ?? {}) as Record<string, unknown>,
    ),
  }),
  'POST /API/files/v1/storages/{storage_id}/gateway/events/purge/': (call) => {
    storageOf(call);
    for (const id of call.body.event_ids as string[]) call.state.events.remove(id);
    return { status: 204 };
  },
  'DELETE /API/files/v1/storages/{storage_id}/gateway/events/{event_id}/': (call) => {
    storageOf(call);
    const event = found(call.state.events.get(call.params.event_id), 'Event');
    call.state.events.remove(event.id);
    return { status: 204 };
  },
};

function transferHandlers(queue: 'transfers_from' | 'transfers_to'): Handlers {
  const path = `/API/files/v1/storages/{storage_id}/${queue}/`;
  return {
    [`GET ${path}`]: (call) => list(call, queue),
    [`GET ${path}{transfer_id}/`]: (call) => ({ status: 200, body: recordOf(call, queue, call.params.transfer_id) }),
    [`DELETE ${path}{transfer_id}/`]: (call) => end(call, queue, recordOf(call, queue, call.params.transfer_id)),
  };
}

/** Edge transcode jobs (reference C.12): listed until a gateway acknowledges them. */
const edgeHandlers: Handlers = {
  'GET /API/transcode/v1/storages/{storage_id}/edge_transcode/jobs/': (call) => {
    const limit = typeof call.query.limit === 'number' ? call.query.limit : Number.POSITIVE_INFINITY;
    const rows = call.state.edgeTranscodes.where({ storage_id: storageOf(call).id });
    return { status: 200, body: { objects: rows.slice(0, limit) } };
  },
  'POST /API/transcode/v1/edge_transcode/jobs/{job_id}/acknowledge/': (call) => {
    const record = found(call.state.edgeTranscodes.get(call.params.job_id), 'Edge transcode job');
    call.state.edgeTranscodes.remove(record.id);
    call.state.ended.push({ queue: 'edge_transcode', outcome: 'acknowledged', record });
    return { status: 200 };
  },
};

/** Gateway events and the queues. */
export const queueHandlers: Handlers = {
  ...eventHandlers,
  ...edgeHandlers,
  ...transferHandlers('transfers_from'),
  ...transferHandlers('transfers_to'),
  'GET /API/files/v1/storages/{storage_id}/deletions/': (call) => list(call, 'deletions'),
  'DELETE /API/files/v1/storages/{storage_id}/deletions/{deletion_id}/': (call) =>
    end(call, 'deletions', recordOf(call, 'deletions', call.params.deletion_id)),
  'DELETE /API/files/v1/files/{file_id}/deletions_from/{storage_id}/': (call) => {
    const [record] = call.state.deletions.where({ file_id: call.params.file_id, storage_id: call.params.storage_id });
    return end(call, 'deletions', found(record, 'Deletion'));
  },
  'GET /API/transcode/v1/storages/{storage_id}/transcode/': (call) => list(call, 'transcode'),
  'GET /API/transcode/v1/storages/{storage_id}/transcode/{record_id}/': (call) => ({
    status: 200,
    body: recordOf(call, 'transcode', call.params.record_id),
  }),
  'DELETE /API/transcode/v1/storages/{storage_id}/transcode/{record_id}/': (call) =>
    end(call, 'transcode', recordOf(call, 'transcode', call.params.record_id)),
  'DELETE /API/transcode/v1/storages/{storage_id}/files/{file_id}/transcode/': (call) => {
    const [record] = call.state.transcodes.where({ file_id: call.params.file_id, storage_id: storageOf(call).id });
    return end(call, 'transcode', found(record, 'Record'));
  },
};
