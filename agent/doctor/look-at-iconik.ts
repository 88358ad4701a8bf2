import { type Entities, fetchEntities } from '../cluster/entities.ts';
import type { NodeConfig } from '../config/load-config.ts';
import type { Finding } from '../contract/index.ts';
import type { StorageGateway } from '../iconik/api.ts';
import { createHttpCall, servicePath } from '../iconik/http-call.ts';
import { createDispatcher } from '../iconik/http-dispatcher.ts';
import { createIconikApi } from '../iconik/iconik-client.ts';
import type { Clock } from '../runtime/clock.ts';
import { coerceError } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import { explainIconik, type IconikRoute } from './explain-iconik.ts';

/** What iconik said of this node. */
export interface IconikLook {
  findings: Finding[];
  /** Null when iconik did not tell. */
  found: { entities: Entities; nodes: readonly StorageGateway[] } | null;
}

/** One call must not take the time that the others need; a diagnosis is to be there within seconds. */
const CALL_MS = 2_500;
/** Certificates and signed addresses begin to fail where clocks differ by minutes; a slow answer makes for a few seconds. */
const CLOCK_OFF_MS = 60_000;

/** The proxy that calls to iconik go through, without user and password. */
function proxyOf(config: NodeConfig): string | null {
  const { httpsProxy } = config;
  return httpsProxy !== undefined && URL.canParse(httpsProxy) ? new URL(httpsProxy).host : null;
}

/** Whether this machine's clock differs from one that is trusted more, which may be late by `slackMs`. */
export function explainClock(nowMs: number, of: { whose: string; atMs: number; slackMs: number }): Finding[] {
  const offMs = nowMs - of.atMs;
  if (Math.abs(offMs) <= CLOCK_OFF_MS + of.slackMs) return [];
  return [
    {
      code: 'clock-off',
      severity: 'error',
      cause: `This machine’s clock is ${Math.round(Math.abs(offMs) / 1000)} s ${offMs > 0 ? 'ahead' : 'behind'}.`,
      evidence: `It shows ${new Date(nowMs).toISOString()}, ${of.whose} ${new Date(of.atMs).toISOString()}.`,
      remedy: 'Let the operating system set the time (NTP). Certificates and signed addresses fail with a wrong one.',
    },
  ];
}

/**
 * Asks iconik once for the storage gateway, without retries, so that what fails is seen as it fails; then for cluster, nodes
 * and storages. Never throws.
 */
export async function lookAtIconik(config: NodeConfig, clock: Clock): Promise<IconikLook> {
  const { iconikUrl, appId, storageGatewayId } = config;
  const route: IconikRoute = { url: iconikUrl, proxy: proxyOf(config), storageGatewayId };
  const credentials = { baseUrl: iconikUrl, appId, authToken: config.authToken.reveal() };
  const findings: Finding[] = [];
  try {
    const dispatcher = createDispatcher({ proxyUrl: config.httpsProxy, callTimeoutMs: CALL_MS });
    const call = createHttpCall({ ...credentials, dispatcher, clock, callTimeoutMs: CALL_MS });
    const startedMs = clock.wallMs();
    try {
      const path = servicePath('files', ['storage_gateways', storageGatewayId]);
      const { dateMs } = await call({ method: 'GET', path });
      const nowMs = clock.wallMs();
      if (dateMs !== null)
        findings.push(...explainClock(nowMs, { whose: 'iconik', atMs: dateMs, slackMs: nowMs - startedMs + 1_000 }));
    } finally {
      await dispatcher.destroy();
    }
    return { findings, found: await readEntities(credentials, config, clock) };
  } catch (thrown) {
    return { findings: [...findings, explainIconik(coerceError(thrown), route)], found: null };
  }
}

async function readEntities(
  credentials: { baseUrl: string; appId: string; authToken: string },
  config: NodeConfig,
  clock: Clock,
): Promise<IconikLook['found']> {
  const api = createIconikApi({
    ...credentials,
    clock,
    // No jitter: what is refused is tried again at once instead of after seconds.
    random: () => 0,
    log: silentLogger,
    requestsPerSecond: 20,
    callTimeoutMs: CALL_MS,
    proxyUrl: config.httpsProxy,
  });
  try {
    const entities = await fetchEntities(api, config.storageGatewayId);
    return { entities, nodes: entities.cluster ? await api.clusters.nodes(entities.cluster.id) : [entities.gateway] };
  } finally {
    await api.close();
  }
}
