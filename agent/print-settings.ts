import { fetchEntities } from './cluster/entities.ts';
import type { NodeConfig } from './config/load-config.ts';
import {
  clusterOnlyInNode,
  type ResolvedSetting,
  resolveTunables,
  resolveVisibilityTimeout,
} from './config/precedence.ts';
import { EXIT } from './contract/index.ts';
import { createIconikApi } from './iconik/iconik-client.ts';
import { systemClock } from './runtime/clock.ts';
import { coerceError } from './runtime/errors.ts';
import { silentLogger } from './runtime/logger.ts';

/** Whoever asks at a terminal waits for it. */
const LOOK_MS = 10_000;

interface Tiers {
  node: Readonly<Record<string, unknown>> | null;
  cluster: { settings: Readonly<Record<string, unknown>>; visibility_timeout: number } | null;
  /** Why node and cluster are not known; null when they are. */
  unknown: string | null;
}

/**
 * `--print-settings`: prints each setting that several tiers may hold with the value that counts, who says it and whom it
 * beats (as one line of JSON with `--json`), by the resolver of the running node. Answers the exit code.
 */
export async function runPrintSettings(config: NodeConfig, { json }: { json: boolean }): Promise<number> {
  const tiers = await look(config);
  const settings = {
    ...resolveTunables({ configIni: config.tunables, node: tiers.node, cluster: tiers.cluster?.settings }),
    visibility_timeout: resolveVisibilityTimeout(tiers.cluster ? { ...tiers.cluster } : null),
  };
  const notes = clusterOnlyInNode(tiers.node);
  process.stdout.write(
    json
      ? `${JSON.stringify({ settings, notes, unknown: tiers.unknown })}\n`
      : settingsText(settings, [...notes, ...(tiers.unknown === null ? [] : [tiers.unknown])]),
  );
  return EXIT.stopped;
}

function settingsText(settings: Readonly<Record<string, ResolvedSetting>>, notes: readonly string[]): string {
  const lines = Object.entries(settings).flatMap(([name, { value, wonBy, beaten, ignored }]) => {
    const beats = beaten.map((said) => `${said.tier} (${said.value})`).join(', ');
    return [`${name} = ${value}, said by ${wonBy}${beats === '' ? '' : `, which beats ${beats}`}`, ...ignored];
  });
  return [...lines, ...notes].map((line) => `${line}\n`).join('');
}

async function look(config: NodeConfig): Promise<Tiers> {
  const api = createIconikApi({
    baseUrl: config.iconikUrl,
    appId: config.appId,
    authToken: config.authToken.reveal(),
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
    requestsPerSecond: 5,
    proxyUrl: config.httpsProxy,
  });
  const giveUp = new AbortController();
  try {
    const late = systemClock.sleep(LOOK_MS, giveUp.signal).then(() => {
      throw new Error(`iconik did not answer within ${LOOK_MS / 1_000} s.`);
    });
    const { gateway, cluster } = await Promise.race([fetchEntities(api, config.storageGatewayId), late]);
    return { node: gateway.settings, cluster, unknown: null };
  } catch (thrown) {
    const why = coerceError(thrown).message;
    return { node: null, cluster: null, unknown: `What node and cluster say is not known: ${why}` };
  } finally {
    giveUp.abort();
    await api.close();
  }
}
