import { describe, expect, it } from 'vitest';
import { takeLive } from '../../../agent/config/live-config.ts';
import { type ConfigHost, loadConfig, type NodeConfig } from '../../../agent/config/load-config.ts';
import { CONFIG_KEY_NAMES, type ConfigKey, configEffect } from '../../../agent/contract/index.ts';

const REQUIRED = { 'app-id': 'a', 'auth-token': 't', 'storage-gateway-id': 'g' };
/** Another value of each key than the default. A key without one does not compile. */
const OTHER: Record<ConfigKey, string> = {
  'iconik-url': 'https://other.test/',
  'app-id': 'b',
  'auth-token': 'u',
  'storage-gateway-id': 'h',
  'db-connection-uri': 'postgresql://h/d',
  'proxy-resolution': '640x360',
  'proxy-bitrate': '2000000',
  'image-proxy-resolution': '1024x1024',
  'enable-hdr-to-sdr-keyframe-conversion': 'false',
  'use-packaged-ffmpeg': 'false',
  'use-packaged-imagemagick': 'false',
  'file-upload-parallel-uploads-threads-num': '2',
  'upload-chunk-size': '6000000',
  'transfer-max-megabits-per-second': '5',
  'transfer-bandwidth-schedule': 'Mon 08:00-18:00 5',
  'checksum-max-workers': '9',
  'scanner-concurrency-value': '9',
  'file-download-parallel-downloads-num': '9',
  'file-upload-parallel-uploads-num': '9',
  'max-transcoding-jobs': '9',
  'leader-ttl-ms': '4000',
  'leader-renew-ms': '700',
  'leader-margin-ms': '700',
  'heartbeat-lapse-ms': '7000',
  'iconik-requests-per-second': '40',
  'iconik-settle-ms': '16000',
  'stall-ms': '20000',
  'checksum-max-megabytes-per-second': '5',
  'priority-order': 'smaller-first',
  'log-level': 'debug',
  'log-cache-max-megabytes': '64',
  'log-retention-days': '7',
  'metrics-port': '9464',
  'hardware-encoding': 'auto',
  'ffmpeg-path': '/f',
  'ffprobe-path': '/p',
  'https-proxy': 'http://p:1',
  'direct-transfer-address': '0.0.0.0:8443',
  'direct-transfer-certificate': '/c',
  'direct-transfer-key': '/k',
  'direct-transfer-ca': '/ca',
  'update-url': 'https://updates.test/',
  'update-check-hours': '1',
  'update-window': '22:00-05:30',
  'data-dir': '/data',
};

function load(lines: Record<string, string>): NodeConfig {
  const text = Object.entries({ ...REQUIRED, ...lines }).map(([key, value]) => `${key} = ${value}\n`);
  const host: ConfigHost = {
    platform: 'linux',
    isService: true,
    homeDir: '/root',
    env: {},
    readText: () => `[main]\n${text.join('')}`,
  };
  const loaded = loadConfig([], {}, host);
  if (loaded.kind !== 'ok') throw new Error(loaded.problems.join());
  return loaded.config;
}
/** As text with the secrets in it, which print as asterisks. */
const shown = (config: NodeConfig) => ({
  ...config,
  authToken: config.authToken.reveal(),
  dbConnectionUri: config.dbConnectionUri?.reveal(),
});
const LISTENER = ['direct-transfer-address', 'direct-transfer-certificate', 'direct-transfer-key'];

describe('a key of config.ini that is changed while the node runs', () => {
  it.each(CONFIG_KEY_NAMES.map((key) => [key, configEffect(key)] as const))(
    '%s takes effect as declared: %s',
    (key, effect) => {
      const lines = LISTENER.includes(key)
        ? Object.fromEntries(LISTENER.map((name) => [name, OTHER[name as ConfigKey]]))
        : { [key]: OTHER[key] };
      const running = load({});
      const fresh = load(lines);
      takeLive(running, fresh);
      const expected = effect === 'live' ? fresh : load({});
      expect(shown(running)).toEqual(shown(expected));
      // the example value must make a difference, but for keys that make none at all and those of the desktop application
      if (effect !== 'none' && !key.startsWith('update-')) expect(shown(fresh)).not.toEqual(shown(load({})));
    },
  );
});
