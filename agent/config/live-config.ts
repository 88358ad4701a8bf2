import type { NodeConfig } from './load-config.ts';

/**
 * Fields that follow config.ini while the node runs: those of the keys with the effect `live` (contract/config-effects.ts).
 * Whoever uses one reads it from the configuration each time.
 */
const LIVE_FIELDS = [
  'tunables',
  'proxyResolution',
  'proxyBitrate',
  'imageProxyResolution',
  'enableHdrToSdrKeyframeConversion',
  'uploadThreads',
  'uploadChunkBytes',
  'transferMegabitsPerSecond',
  'transferSchedule',
  'checksumMegabytesPerSecond',
  'priorityOrder',
  'logLevel',
] as const satisfies readonly (keyof NodeConfig)[];

/** Takes the live fields of a configuration that was read anew into the one that the node runs with. */
export function takeLive(running: NodeConfig, fresh: Readonly<NodeConfig>): void {
  for (const field of LIVE_FIELDS) Object.assign(running, { [field]: fresh[field] });
}
