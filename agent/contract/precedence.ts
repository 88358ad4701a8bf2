import { TUNABLES, type TunableName } from './tunables.ts';

/** All names, in a fixed order. */
export const TUNABLE_NAMES = Object.keys(TUNABLES) as TunableName[];

/** Seconds a job lease lasts; only the cluster entity may hold it, since all nodes must use one value. */
export const VISIBILITY_TIMEOUT = { default: 3600, min: 30, max: 86_400 } as const;

/** Who said a value, strongest first. */
export const TIERS = ['config.ini', 'node', 'cluster', 'default'] as const;
/** Who said a value. */
export type Tier = (typeof TIERS)[number];

/** A value some tier said. */
export interface TierValue {
  tier: Tier;
  value: number;
}

/** The value that counts, and why. */
export interface ResolvedSetting {
  value: number;
  wonBy: Tier;
  /** Valid values of weaker tiers, strongest first (the default always among them unless it won). */
  beaten: readonly TierValue[];
  /** Values that were passed over because they are no whole number in range, in words. */
  ignored: readonly string[];
}

/** Settings objects as they come: parsed config.ini, `settings` of the node entity, `settings` of the cluster entity. */
export interface SettingsTiers {
  configIni?: Readonly<Record<string, unknown>> | null | undefined;
  node?: Readonly<Record<string, unknown>> | null | undefined;
  cluster?: Readonly<Record<string, unknown>> | null | undefined;
}

interface Range {
  default: number;
  min: number;
  max: number;
}

/**
 * The rule of precedence: of what the tiers say, strongest first, the first whole number in range counts, else the default.
 * Agent, command line and settings screen all resolve by it. Pure.
 */
export function resolveTiers(
  name: string,
  range: Range,
  said: readonly { tier: Tier; value: unknown }[],
): ResolvedSetting {
  const valid: TierValue[] = [];
  const ignored: string[] = [];
  for (const { tier, value } of said) {
    if (value === undefined || value === null) continue;
    if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) {
      valid.push({ tier, value });
    } else {
      ignored.push(`${name} of ${tier} is not a whole number from ${range.min} to ${range.max}`);
    }
  }
  valid.push({ tier: 'default', value: range.default });
  const [winner, ...beaten] = valid;
  if (winner === undefined) throw new Error('unreachable: the default is always there');
  return { value: winner.value, wonBy: winner.tier, beaten, ignored };
}

/** Resolves one tunable: config.ini > node > cluster > default. Pure. A value out of range counts as not said. */
export function resolveTunable(name: TunableName, tiers: SettingsTiers): ResolvedSetting {
  return resolveTiers(name, TUNABLES[name], [
    { tier: 'config.ini', value: tiers.configIni?.[name] },
    { tier: 'node', value: tiers.node?.[name] },
    { tier: 'cluster', value: tiers.cluster?.[name] },
  ]);
}

/** All five tunables. */
export type ResolvedTunables = Record<TunableName, ResolvedSetting>;

/** Resolves all tunables. Pure. */
export function resolveTunables(tiers: SettingsTiers): ResolvedTunables {
  return {
    checksum_max_workers: resolveTunable('checksum_max_workers', tiers),
    scanner_concurrency_value: resolveTunable('scanner_concurrency_value', tiers),
    file_download_parallel_downloads_num: resolveTunable('file_download_parallel_downloads_num', tiers),
    file_upload_parallel_uploads_num: resolveTunable('file_upload_parallel_uploads_num', tiers),
    max_transcoding_jobs: resolveTunable('max_transcoding_jobs', tiers),
  };
}

/** Resolves visibility_timeout (seconds), which only the cluster says. Pure. */
export function resolveVisibilityTimeout(
  cluster: Readonly<Record<string, unknown>> | null | undefined,
): ResolvedSetting {
  const value = cluster?.visibility_timeout;
  return resolveTiers('visibility_timeout', VISIBILITY_TIMEOUT, [{ tier: 'cluster', value }]);
}

/** Why a setting of the cluster may stand in no stronger tier. */
const CLUSTER_ONLY: Readonly<Record<string, string>> = {
  visibility_timeout: 'all nodes must use one lease time',
  db_connection_uri: 'all nodes must use one database',
};

/**
 * Settings that the node's tier says although only the cluster may, in words; they have no effect. (config.ini is refused for
 * `visibility-timeout` as a whole, and may hold `db-connection-uri` only to start while iconik is away.) Pure.
 */
export function clusterOnlyInNode(node: Readonly<Record<string, unknown>> | null | undefined): string[] {
  return Object.entries(CLUSTER_ONLY).flatMap(([name, why]) => {
    const value = node?.[name];
    return value === undefined || value === null
      ? []
      : [`${name} of node is refused and has no effect: ${why}, so it is set on the cluster only`];
  });
}
