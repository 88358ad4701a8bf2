import { chooseDatabase, describeDatabase } from '../cluster/cluster-database.ts';
import { type Entities, fetchEntities, mountPointOf } from '../cluster/entities.ts';
import type { NodeConfig } from '../config/load-config.ts';
import type { CheckResult } from '../contract/index.ts';
import { createDatabase } from '../db/database.ts';
import { createDiskCheck } from '../health/checks/disk-check.ts';
import { createFfmpegCheck } from '../health/checks/ffmpeg-check.ts';
import { createStorageCheck } from '../health/checks/storage-check.ts';
import { failing, type HealthCheck, ok } from '../health/health-check.ts';
import { createIconikApi, type IconikClient } from '../iconik/iconik-client.ts';
import { findFfmpeg } from '../roles/transcode/ffmpeg/find-ffmpeg.ts';
import type { ChildGuard } from '../runtime/child-guard/child-guard.ts';
import { systemClock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import { type Logger, silentLogger } from '../runtime/logger.ts';
import { createStorageAccess } from '../storage/create-storage-access.ts';
import { checkLeadership } from './check-leadership.ts';

/** What a diagnosis needs. */
export interface DiagnosisOptions {
  config: NodeConfig;
  guard: ChildGuard;
  log: Logger;
}

/** Longest wait for the process that looks at a storage to be there. */
const START_PATIENCE_MS = 15_000;

/**
 * Looks once at everything the node depends on, in the order in which one thing needs the other, and says of each what is
 * wrong and what to do. Changes nothing: no table is made, no marker is placed, nothing is registered. Never throws.
 */
export async function diagnose(options: DiagnosisOptions): Promise<CheckResult[]> {
  const { config } = options;
  const api = createIconikApi({
    baseUrl: config.iconikUrl,
    appId: config.appId,
    authToken: config.authToken.reveal(),
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    requestsPerSecond: 10,
    proxyUrl: config.httpsProxy,
  });
  try {
    const local = [await checkFfmpeg(options), await verdictOf(createDiskCheck(config.dataDir))];
    const entities = await checkIconik(api, config.storageGatewayId);
    if (entities.found === null) return [entities.result, ...local];
    const database = await checkDatabase(api, entities.found, options);
    const leadership = database.status === 'ok' ? await leadershipOf(entities.found, config) : [];
    return [entities.result, database, ...leadership, ...(await checkStorages(entities.found, options)), ...local];
  } finally {
    await api.close();
  }
}

async function checkIconik(
  api: IconikClient,
  storageGatewayId: string,
): Promise<{ result: CheckResult; found: Entities | null }> {
  try {
    return { found: await fetchEntities(api, storageGatewayId), result: ok('iconik').result };
  } catch (thrown) {
    const remedy = 'Nothing else can be checked before iconik answers for this node.';
    return { found: null, result: failing('iconik', { reason: coerceError(thrown).message, remedy }).result };
  }
}

async function checkDatabase(api: IconikClient, entities: Entities, { log }: DiagnosisOptions): Promise<CheckResult> {
  try {
    const nodes = entities.cluster ? await api.clusters.nodes(entities.cluster.id) : [];
    const choice = chooseDatabase(entities, nodes);
    if (choice.kind === 'none') return failing('database', { reason: choice.reason, remedy: '' }).result;
    if (choice.kind === 'embedded') return ok('database').result;
    return await checkConnection(choice.uri, log);
  } catch (thrown) {
    return failing('database', { reason: coerceError(thrown).message, remedy: '' }).result;
  }
}

async function checkConnection(uri: string, log: Logger): Promise<CheckResult> {
  const { place } = describeDatabase(uri);
  const database = createDatabase({ uri, log, maxConnections: 1 });
  try {
    await database.execute('SELECT 1', []);
    return ok('database').result;
  } catch (thrown) {
    const remedy = `The cluster's database is ${place}; its URI stands in the cluster's settings in iconik.`;
    return failing('database', { reason: coerceError(thrown).message, remedy }).result;
  } finally {
    await database.close();
  }
}

async function leadershipOf({ cluster }: Entities, config: NodeConfig): Promise<CheckResult[]> {
  const uri = cluster?.db_connection_uri ?? '';
  if (uri === '') return [];
  const database = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
  try {
    return [await checkLeadership(database, { lapseMs: config.heartbeatLapseMs, ttlMs: config.leaderTtlMs })];
  } catch (thrown) {
    return [failing('leadership', { reason: coerceError(thrown).message, remedy: '' }).result];
  } finally {
    await database.close();
  }
}

function checkStorages(entities: Entities, { config, guard }: DiagnosisOptions): Promise<CheckResult[]> {
  const checks = [...entities.storages.values()].map(async (storage) => {
    const mountPoint = mountPointOf(entities, storage);
    if (mountPoint === null) {
      const reason = `Storage "${storage.name}" has no mount point on this node.`;
      return failing(`storage:${storage.id}`, { reason, remedy: 'Enter it at the node in iconik.' }).result;
    }
    const access = createStorageAccess({
      storageId: storage.id,
      mountPoint,
      guard,
      log: silentLogger,
      httpsProxy: config.httpsProxy ?? null,
    });
    try {
      // A node has its storage processes running; here the first one is only being started, however busy the machine is.
      await access.probe({ testWrite: false, timeoutMs: START_PATIENCE_MS });
      return await verdictOf(
        createStorageCheck(
          () => storage,
          access,
          () => false,
        ),
      );
    } finally {
      await access.stop();
    }
  });
  return Promise.all(checks);
}

async function checkFfmpeg({ config, guard }: DiagnosisOptions): Promise<CheckResult> {
  const search = { ffmpegPath: config.ffmpegPath, ffprobePath: config.ffprobePath, guard };
  return verdictOf(createFfmpegCheck(() => findFfmpeg({ ...search, signal: AbortSignal.timeout(20_000) })));
}

// A check that breaks is a finding, not the end of the diagnosis.
async function verdictOf(check: HealthCheck): Promise<CheckResult> {
  try {
    return (await check.ask()).result;
  } catch (thrown) {
    return failing(check.name, { reason: coerceError(thrown).message, remedy: '' }).result;
  }
}

/** The diagnosis as text: one line per check, reason and remedy below. */
export function diagnosisText(results: readonly CheckResult[]): string {
  return results
    .map(({ check, status, reason, remedy }) => {
      const words = [reason, remedy].filter(Boolean).map((line) => `\n    ${line}`);
      return `${status.toUpperCase().padEnd(8)} ${check}${words.join('')}\n`;
    })
    .join('');
}
