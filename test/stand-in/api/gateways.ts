import { randomUUID } from 'node:crypto';
import { freshDates, type IconikState, isoNow } from '../state/iconik-state.ts';
import { numberedPage } from '../state/paging.ts';
import type { Row } from '../state/table.ts';
import { type Call, found, type Handlers, listed } from './call.ts';

/** Silence after which a worker counts as OFFLINE; iconik's own threshold is not known (reference C.6). */
const OFFLINE_AFTER_MS = 120_000;

/** Telemetry status → status of gateway and cluster. */
const GATEWAY_STATUS: Record<string, string> = {
  LIVE: 'ACTIVE',
  ERROR: 'ERROR',
  WARNING: 'WARNING',
  STOPPED: 'STOPPED',
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Later tiers win; null means not set there. */
function merged(...tiers: unknown[]): Record<string, unknown> {
  const set = tiers.filter(isRecord).flatMap((tier) => Object.entries(tier).filter(([, value]) => value !== null));
  return Object.fromEntries(set);
}

/** Telemetry of one gateway, newest first; silent workers show as OFFLINE. */
function telemetryOf(state: IconikState, gatewayId: string): Row[] {
  const rows = [...state.telemetry.values()].filter((row) => row.storage_gateway_id === gatewayId);
  const newestFirst = rows.sort((a, b) => Number(b.received_at_ms) - Number(a.received_at_ms));
  return newestFirst.map((row) => {
    const isSilent = state.nowMs() - Number(row.received_at_ms) > OFFLINE_AFTER_MS;
    return isSilent ? { ...row, status: 'OFFLINE' } : row;
  });
}

/** A gateway with what iconik derives: merged settings, the cluster's storages, telemetry, status. */
function readGateway(state: IconikState, gateway: Row): Row {
  const cluster = state.clusters.get(gateway.cluster_id);
  const [telemetry] = telemetryOf(state, gateway.id);
  const storageIds = Array.isArray(cluster?.storage_ids) ? cluster.storage_ids : [];
  const own = Object.keys(isRecord(gateway.storages) ? gateway.storages : {});
  return {
    ...gateway,
    merged_settings: merged(cluster?.settings, gateway.settings),
    cluster_storage_ids: storageIds,
    dedicated_storage_ids: own.filter((id) => !storageIds.includes(id)),
    telemetry: telemetry ?? null,
    status: GATEWAY_STATUS[String(telemetry?.status)] ?? 'OFFLINE',
  };
}

const nodesOf = (state: IconikState, clusterId: string): Row[] =>
  state.gateways.where({ cluster_id: clusterId }).map((gateway) => readGateway(state, gateway));

function readCluster(call: Call, cluster: Row): Row {
  const nodes = nodesOf(call.state, cluster.id);
  const statuses = nodes.map((node) => String(node.status));
  const worst = ['ERROR', 'WARNING', 'ACTIVE', 'STOPPED'].find((status) => statuses.includes(status));
  const totals = {
    total_files_number: call.state.files.all().length,
    transcode_queue_total: call.state.transcodes.all().length,
  };
  return {
    ...cluster,
    status: worst ?? 'OFFLINE',
    nodes: call.query.view_nodes ? nodes : null,
    ...(call.query.view_stats ? { ...totals, uploads_queue_total: call.state.transfersFrom.all().length } : {}),
  };
}

const gatewayOf = (call: Call): Row =>
  found(call.state.gateways.get(call.params.storage_gateway_id), 'Storage gateway');
const clusterOf = (call: Call): Row =>
  found(call.state.clusters.get(call.params.cluster_id), 'Storage gateway cluster');

function change(call: Call, row: Row): Row {
  return Object.assign(row, call.body, { date_modified: isoNow(call.state) });
}

function postTelemetry(call: Call) {
  const gateway = gatewayOf(call);
  const workerId = String(call.body.worker_id);
  const telemetry = { ...call.body, id: workerId, storage_gateway_id: gateway.id, received_at_ms: call.state.nowMs() };
  call.state.telemetry.set(workerId, telemetry);
  const cluster = call.state.clusters.get(gateway.cluster_id);
  if (cluster && call.body.is_leader === true && cluster.leader_id !== gateway.id) {
    Object.assign(cluster, { leader_id: gateway.id, leader_changed_at: isoNow(call.state) });
  }
  return { status: 201 };
}

/** Storage gateways, clusters, telemetry (reference C.6, C.7). */
export const gatewayHandlers: Handlers = {
  'GET /API/files/v1/storage_gateways/': (call) => {
    const wanted = call.query.cluster_id ? { cluster_id: call.query.cluster_id } : {};
    const rows = call.state.gateways.where(wanted).map((row) => readGateway(call.state, row));
    return listed(numberedPage(rows, call));
  },
  'POST /API/files/v1/storage_gateways/': (call) => ({
    status: 201,
    body: call.state.gateways.insert({
      id: randomUUID(),
      roles: [],
      settings: {},
      storages: {},
      ...call.body,
      ...freshDates(call.state),
    }),
  }),
  'GET /API/files/v1/storage_gateways/{storage_gateway_id}/': (call) => ({
    status: 200,
    body: readGateway(call.state, gatewayOf(call)),
  }),
  'PATCH /API/files/v1/storage_gateways/{storage_gateway_id}/': (call) => ({
    status: 200,
    body: change(call, gatewayOf(call)),
  }),
  'PUT /API/files/v1/storage_gateways/{storage_gateway_id}/': (call) => ({
    status: 200,
    body: change(call, gatewayOf(call)),
  }),
  'DELETE /API/files/v1/storage_gateways/{storage_gateway_id}/': (call) => {
    call.state.gateways.remove(gatewayOf(call).id);
    return { status: 204 };
  },
  'GET /API/files/v1/storage_gateways/telemetry/': (call) =>
    listed({ objects: [...call.state.telemetry.values()], per_page: 1000 }),
  'GET /API/files/v1/storage_gateways/telemetry/{worker_id}/': (call) => ({
    status: 200,
    body: found(call.state.telemetry.get(call.params.worker_id ?? ''), 'Telemetry'),
  }),
  'GET /API/files/v1/storage_gateways/{storage_gateway_id}/telemetry/': (call) =>
    listed({ objects: telemetryOf(call.state, gatewayOf(call).id), per_page: 1000 }),
  'POST /API/files/v1/storage_gateways/{storage_gateway_id}/telemetry/': postTelemetry,
  'POST /API/files/v1/storage_gateways/{storage_gateway_id}/logs/': (call) => {
    const path = `logs/${gatewayOf(call).id}/${String(call.body.filename)}`;
    return { status: 201, body: { path, upload_url: call.urls.sign({ operation: 'gcs-put', key: path }) } };
  },
  'GET /API/files/v1/storage_gateway_clusters/': (call) =>
    listed(
      numberedPage(
        call.state.clusters.all().map((row) => readCluster(call, row)),
        call,
      ),
    ),
  'POST /API/files/v1/storage_gateway_clusters/': (call) => ({
    status: 201,
    body: call.state.clusters.insert({
      id: randomUUID(),
      settings: {},
      visibility_timeout: 3600,
      ...call.body,
      ...freshDates(call.state),
    }),
  }),
  'GET /API/files/v1/storage_gateway_clusters/{cluster_id}/': (call) => ({
    status: 200,
    body: readCluster(call, clusterOf(call)),
  }),
  'PATCH /API/files/v1/storage_gateway_clusters/{cluster_id}/': (call) => ({
    status: 200,
    body: change(call, clusterOf(call)),
  }),
  'PUT /API/files/v1/storage_gateway_clusters/{cluster_id}/': (call) => ({
    status: 200,
    body: change(call, clusterOf(call)),
  }),
  'DELETE /API/files/v1/storage_gateway_clusters/{cluster_id}/': (call) => {
    call.state.clusters.remove(clusterOf(call).id);
    return { status: 204 };
  },
};
