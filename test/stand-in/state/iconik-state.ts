import { type Row, Table } from './table.ts';

/** Ids of the one account that the stand-in holds. */
export interface Account {
  appId: string;
  authToken: string;
  /** User behind the token. */
  userId: string;
}

/** Everything the stand-in knows, in memory. */
export interface IconikState {
  account: Account;
  nowMs: () => number;
  storages: Table;
  transcoders: Table;
  clusters: Table;
  gateways: Table;
  /** Keyed by worker_id, with `received_at_ms`. */
  telemetry: Map<string, Row>;
  /** Gateway events, each with `storage_id`. */
  events: Table;
  /** Last report and last status per storage id. */
  reports: Map<string, Record<string, unknown>>;
  gatewayStatuses: Map<string, string>;
  assets: Table;
  collections: Table;
  /** Values per asset and view, keyed `asset/view`. */
  metadata: Map<string, Record<string, unknown>>;
  /** Views, each with the names of its fields; values of others are refused. */
  views: Map<string, readonly string[]>;
  /** Templates that may be applied. */
  aclTemplates: Set<string>;
  /** Permissions given: by template (`template_id`) or group (`group_id`, `permissions`). */
  acls: Row[];
  history: Table;
  formats: Table;
  fileSets: Table;
  files: Table;
  proxies: Table;
  keyframes: Table;
  jobs: Table;
  /** Temporary files of relays, and their sets. */
  temporaryFileSets: Table;
  temporaryFiles: Table;
  /** Signed links of direct transfers, by signature. */
  transferLinks: Map<string, { transferId: string; userId: string; expiresAtMs: number }>;
  transfersFrom: Table;
  transfersTo: Table;
  deletions: Table;
  transcodes: Table;
  /** Edge transcode jobs that no gateway has acknowledged, by job id, each with `storage_id`. */
  edgeTranscodes: Table;
  /** Queue records that the gateway has ended, with how. */
  ended: { queue: string; outcome: string; record: Row }[];
  /** File and file set records that a finished deletion removed. */
  removed: Row[];
}

/** An empty account. */
export function createState(account: Account, nowMs: () => number): IconikState {
  const table = () => new Table(nowMs);
  return {
    account,
    nowMs,
    storages: table(),
    transcoders: table(),
    clusters: table(),
    gateways: table(),
    telemetry: new Map(),
    events: table(),
    reports: new Map(),
    gatewayStatuses: new Map(),
    assets: table(),
    collections: table(),
    metadata: new Map(),
    views: new Map(),
    aclTemplates: new Set(),
    acls: [],
    history: table(),
    formats: table(),
    fileSets: table(),
    files: table(),
    proxies: table(),
    keyframes: table(),
    jobs: table(),
    temporaryFileSets: table(),
    temporaryFiles: table(),
    transferLinks: new Map(),
    transfersFrom: table(),
    transfersTo: table(),
    deletions: table(),
    transcodes: table(),
    edgeTranscodes: table(),
    ended: [],
    removed: [],
  };
}

/** Now, as iconik writes instants: microseconds and an offset (reference C.1). */
export const isoNow = (state: Pick<IconikState, 'nowMs'>): string =>
  new Date(state.nowMs()).toISOString().replace('Z', '000+00:00');

/** The two dates that every record carries. */
export function freshDates(state: Pick<IconikState, 'nowMs'>): { date_created: string; date_modified: string } {
  const now = isoNow(state);
  return { date_created: now, date_modified: now };
}
