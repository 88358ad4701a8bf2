import type { IconikClient } from './iconik/iconik-client.ts';
import { createRecordedApi } from './iconik/recorded-api.ts';
import type { JobStore } from './jobs/job-store.ts';
import { createRecordedJobStore } from './jobs/recorded-job-store.ts';
import type { LeaderWork } from './leader/leadership.ts';
import type { LeaseStore } from './leader/lease-store.ts';
import { createRecordedLeaseStore } from './leader/recorded-lease-store.ts';
import { recordWork } from './leader/recorded-work.ts';
import { systemClock } from './runtime/clock.ts';
import { type History, openHistory } from './runtime/history.ts';

/** The seams of a node with recorders around them; without a history each answers what it was given. */
export interface NodeRecording {
  lease(store: LeaseStore): LeaseStore;
  jobs(store: JobStore): JobStore;
  work(work: readonly LeaderWork[]): readonly LeaderWork[];
  api(client: IconikClient): IconikClient;
}

const NO_RECORDING: NodeRecording = {
  lease: (store) => store,
  jobs: (store) => store,
  work: (work) => work,
  api: (client) => client,
};

/** Records this run into the file at `path`; nothing is recorded, and nothing wrapped, when it is undefined or empty. */
export function createNodeRecording(path: string | undefined, self: { runId: string; name: string }): NodeRecording {
  if (!path) return NO_RECORDING;
  return recordInto(openHistory(path, { run: self.runId, node: self.name }));
}

function recordInto(history: History): NodeRecording {
  let termNow: () => number | null = () => null;
  return {
    lease: (store) => createRecordedLeaseStore(store, history),
    jobs: (store) => createRecordedJobStore(store, history),
    work: (work) => {
      const recorded = recordWork(work, history, (ms, signal) => systemClock.sleep(ms, signal));
      termNow = recorded.termNow;
      return recorded.work;
    },
    api: (client) => createRecordedApi(client, history, () => termNow()),
  };
}
