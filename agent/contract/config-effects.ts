import { z } from 'zod';
import type { ConfigKey } from './config-keys.ts';

/**
 * How a changed key of config.ini comes to count: `live`: within a second, while the node runs; `restart`: with the next start
 * of the agent, which the desktop application offers; `program-start`: with the next start of the whole program; `none`: never.
 */
export const configEffectSchema = z.enum(['live', 'restart', 'program-start', 'none']);
/** How a changed key of config.ini comes to count. */
export type ConfigEffect = z.infer<typeof configEffectSchema>;

/** A key without a declared effect does not compile. Connections, identity and election times stay for the life of a run. */
const CONFIG_EFFECTS: Readonly<Record<ConfigKey, ConfigEffect>> = {
  'iconik-url': 'restart',
  'app-id': 'restart',
  'auth-token': 'restart',
  'storage-gateway-id': 'restart',
  'db-connection-uri': 'restart',
  'proxy-resolution': 'live',
  'proxy-bitrate': 'live',
  'image-proxy-resolution': 'live',
  'enable-hdr-to-sdr-keyframe-conversion': 'live',
  'use-packaged-ffmpeg': 'restart',
  'use-packaged-imagemagick': 'none',
  'file-upload-parallel-uploads-threads-num': 'live',
  'upload-chunk-size': 'live',
  'transfer-max-megabits-per-second': 'live',
  'transfer-bandwidth-schedule': 'live',
  'checksum-max-workers': 'live',
  'scanner-concurrency-value': 'live',
  'file-download-parallel-downloads-num': 'live',
  'file-upload-parallel-uploads-num': 'live',
  'max-transcoding-jobs': 'live',
  'leader-ttl-ms': 'restart',
  'leader-renew-ms': 'restart',
  'leader-margin-ms': 'restart',
  'heartbeat-lapse-ms': 'restart',
  'iconik-requests-per-second': 'restart',
  'iconik-settle-ms': 'restart',
  'stall-ms': 'restart',
  'checksum-max-megabytes-per-second': 'live',
  'priority-order': 'live',
  'log-level': 'live',
  'log-cache-max-megabytes': 'restart',
  'log-retention-days': 'restart',
  'metrics-port': 'restart',
  'hardware-encoding': 'restart',
  'ffmpeg-path': 'restart',
  'ffprobe-path': 'restart',
  'https-proxy': 'restart',
  'direct-transfer-address': 'restart',
  'direct-transfer-certificate': 'restart',
  'direct-transfer-key': 'restart',
  'direct-transfer-ca': 'restart',
  'update-url': 'live',
  'update-check-hours': 'live',
  'update-window': 'live',
  'data-dir': 'program-start',
};

/** How a change of this key comes to count. */
export const configEffect = (key: ConfigKey): ConfigEffect => CONFIG_EFFECTS[key];

/** Keys whose value differs between what a run started with and the file as it is, and that it does not follow. Pure. */
export function waitingKeys(known: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string[] {
  const keys = [...new Set([...known.keys(), ...now.keys()])] as ConfigKey[];
  return keys.filter(
    (key) => ['restart', 'program-start'].includes(configEffect(key)) && known.get(key) !== now.get(key),
  );
}
