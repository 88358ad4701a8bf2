import type { FaultCounts } from '../faults/fault-plan.ts';
import type { IconikState } from './iconik-state.ts';
import type { Row } from './table.ts';

/** A call that broke the published API. */
export interface Violation {
  /** When, ISO 8601. */
  at: string;
  method: string;
  path: string;
  faults: { field: string; message: string }[];
}

/** Everything that checks may want to know; a copy. */
export interface StandInState {
  storages: Row[];
  clusters: Row[];
  gateways: Row[];
  assets: Row[];
  formats: Row[];
  fileSets: Row[];
  files: Row[];
  temporaryFileSets: Row[];
  temporaryFiles: Row[];
  proxies: Row[];
  keyframes: Row[];
  jobs: Row[];
  history: Row[];
  events: Row[];
  queues: { transfersFrom: Row[]; transfersTo: Row[]; deletions: Row[]; transcodes: Row[] };
  /** Queue records that were ended, with `completed`, `failed` or `removed`. */
  ended: IconikState['ended'];
  /** File, file set, proxy and keyframe records that are gone. */
  removed: Row[];
  telemetry: Row[];
  reports: Record<string, Record<string, unknown>>;
  gatewayStatuses: Record<string, string>;
  violations: Violation[];
  /** Answers of the stand-in that do not fit the published schemas: its own mistakes. */
  answerFaults: Violation[];
  requestCount: number;
  /** Calls by `METHOD /path/{x}/`, refused ones included. */
  calls: Record<string, number>;
  faultCounts: FaultCounts;
}

/** What the server itself counts. */
export type Counted = Pick<StandInState, 'violations' | 'answerFaults' | 'requestCount' | 'calls' | 'faultCounts'>;

/** Copies the whole account. */
export function snapshot(state: IconikState, counted: Counted): StandInState {
  return structuredClone({
    storages: state.storages.all(),
    clusters: state.clusters.all(),
    gateways: state.gateways.all(),
    assets: state.assets.all(),
    formats: state.formats.all(),
    fileSets: state.fileSets.all(),
    files: state.files.all(),
    temporaryFileSets: state.temporaryFileSets.all(),
    temporaryFiles: state.temporaryFiles.all(),
    proxies: state.proxies.all(),
    keyframes: state.keyframes.all(),
    jobs: state.jobs.all(),
    history: state.history.all(),
    events: state.events.all(),
    queues: {
      transfersFrom: state.transfersFrom.all(),
      transfersTo: state.transfersTo.all(),
      deletions: state.deletions.all(),
      transcodes: state.transcodes.all(),
    },
    ended: state.ended,
    removed: state.removed,
    telemetry: [...state.telemetry.values()],
    reports: Object.fromEntries(state.reports),
    gatewayStatuses: Object.fromEntries(state.gatewayStatuses),
    ...counted,
  });
}
