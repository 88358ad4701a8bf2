import { addEvent } from './api/queues.ts';
import { derivativeKey, fileKey } from './api/upload-fields.ts';
import type { ApiContext } from './api-routes.ts';
import type { FaultCounts, FaultPlan, Faults } from './faults/fault-plan.ts';
import type { ObjectDisk, StoredObject } from './object-store/object-disk.ts';
import type { IconikState } from './state/iconik-state.ts';
import {
  type Order,
  orderDelete,
  orderDownload,
  orderEdgeTranscode,
  orderTranscode,
  orderUpload,
} from './state/orders.ts';
import { type StandInState, snapshot } from './state/snapshot.ts';

/** What tests steer and look at, in process as over `/_control`. */
export interface StandInControl {
  setFaults(plan: FaultPlan): void;
  faults(): { plan: FaultPlan; counts: FaultCounts };
  /** A copy of everything. */
  state(): StandInState;
  clearViolations(): void;
  /** An object by its key (`objectKey` tells it), with size, MD5 and its file on disk. */
  object(key: string): StoredObject | undefined;
  objects(): StoredObject[];
  /** Key of the object that belongs to a file, proxy or keyframe record; undefined when there is no such record. */
  objectKey(recordId: string): string | undefined;
  /** With `originalUrl` it is a direct transfer from the gateway at that address. */
  orderDownload(order: { fileSetId: string; storageId: string; directoryPath: string; originalUrl?: string }): Order;
  orderUpload(order: { fileSetId: string; destinationStorageId: string; directoryPath?: string }): Order;
  orderDelete(order: { fileId: string }): Order;
  orderTranscode(order: { fileId: string }): Order;
  orderEdgeTranscode(order: { fileId: string }): Omit<Order, 'eventId'>;
  /** Queues a gateway event of any type, also of one that iconik does not have; answers its id. */
  emitEvent(event: { storageId: string; type: string; data?: unknown }): string;
}

/** What the control works on. */
interface Parts {
  state: IconikState;
  faults: Faults;
  disk: ObjectDisk;
  context: ApiContext;
}

/** Makes the control over a running stand-in's parts. */
export function createControl({ state, faults, disk, context }: Parts): StandInControl {
  return {
    setFaults: (plan) => faults.set(plan),
    faults: () => ({ plan: faults.plan, counts: { ...faults.counts } }),
    state: () => {
      const requestCount = [...context.calls.values()].reduce((sum, count) => sum + count, 0);
      const { violations, answerFaults } = context;
      const calls = Object.fromEntries(context.calls);
      return snapshot(state, { violations, answerFaults, requestCount, calls, faultCounts: faults.counts });
    },
    clearViolations: () => context.violations.splice(0),
    object: (key) => disk.find(key),
    objects: () => disk.all(),
    objectKey: (recordId) => {
      const file = state.files.get(recordId);
      const proxy = state.proxies.get(recordId);
      const keyframe = state.keyframes.get(recordId);
      if (file) return fileKey(state, file);
      return proxy ? derivativeKey('proxies', proxy) : keyframe && derivativeKey('keyframes', keyframe);
    },
    orderDownload: (order) => orderDownload(state, order),
    orderUpload: (order) => orderUpload(state, order),
    orderDelete: (order) => orderDelete(state, order),
    orderTranscode: (order) => orderTranscode(state, order),
    orderEdgeTranscode: (order) => orderEdgeTranscode(state, order),
    emitEvent: ({ storageId, type, data }) =>
      addEvent(state, storageId, type, (data ?? {}) as Record<string, unknown>).id,
  };
}
