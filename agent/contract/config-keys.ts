import { z } from 'zod';
import { MOST_MEGABITS, parseBandwidthSchedule } from './bandwidth-schedule.ts';
import { TUNABLES } from './tunables.ts';
import { isUpdateUrl, parseUpdateWindow } from './update-window.ts';

/** A picture box in pixels. */
export interface Resolution {
  width: number;
  height: number;
}

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^[+-]?\d+$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${min} to ${max}`);

const flag = z
  .string()
  .toLowerCase()
  .refine((text) => /^(true|yes|on|1|false|no|off|0)$/.test(text), 'must be true or false')
  .transform((text) => /^(true|yes|on|1)$/.test(text));

const box = (min: Resolution, max: Resolution) => {
  const words = `must be WIDTHxHEIGHT from ${min.width}x${min.height} to ${max.width}x${max.height}`;
  return z
    .string()
    .regex(/^\d+\s*[xX]\s*\d+$/, words)
    .transform((text): Resolution => {
      const [width = 0, height = 0] = text.split(/x/i).map(Number);
      return { width, height };
    })
    .refine(
      ({ width, height }) => width >= min.width && height >= min.height && width <= max.width && height <= max.height,
      words,
    );
};

const webUrl = (words: string) =>
  z
    .string()
    .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), words)
    .transform((text) => new URL(text).href);

const baseUrl = webUrl('must be a URL such as https://app.iconik.io/').transform((href) =>
  href.endsWith('/') ? href : `${href}/`,
);
const text = z.string().min(1);
/** iconik's ids and App-ID are sent as header or path: one word of printable ASCII. */
const word = z.string().regex(/^[\x21-\x7e]+$/, 'must be one word without spaces');
const tunable = (name: keyof typeof TUNABLES) => wholeNumber(TUNABLES[name].min, TUNABLES[name].max).optional();

/** Host (a name, an IPv4 address, an IPv6 address in brackets, or nothing for all) and, where it differs from 8443, a port. */
const LISTEN_ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*)(?::(\d{1,5}))?$/;
/** Reference A.8. */
const DIRECT_TRANSFER_PORT = 8443;

/**
 * All keys of config.ini, each parsed from its text. Vendor's keys with the vendor's ranges (reference A.3), then our own
 * (design: settings). Times in milliseconds where the name says so. What each does stands in `CONFIG_WORDS`.
 */
export const CONFIG_KEYS = {
  'iconik-url': baseUrl.default('https://app.iconik.io/'),
  'app-id': word,
  'auth-token': word,
  'storage-gateway-id': word,
  'db-connection-uri': z
    .string()
    .refine((uri) => /^postgres(ql)?:\/\//.test(uri), 'must begin with postgresql://')
    .optional(),
  'proxy-resolution': box({ width: 640, height: 360 }, { width: 1920, height: 1080 }).default({
    width: 1280,
    height: 720,
  }),
  'proxy-bitrate': wholeNumber(200_000, 99_000_000).default(3_000_000),
  'image-proxy-resolution': box({ width: 180, height: 180 }, { width: 16_000, height: 16_000 }).default({
    width: 2048,
    height: 2048,
  }),
  'enable-hdr-to-sdr-keyframe-conversion': flag.default(true),
  'use-packaged-ffmpeg': flag.default(true),
  'use-packaged-imagemagick': flag.default(true),
  'file-upload-parallel-uploads-threads-num': wholeNumber(1, 64).optional(),
  /** S3 allows 5 MiB to 5 GiB. */
  'upload-chunk-size': wholeNumber(5_242_880, 5_368_709_120).optional(),
  /** For all transfers of this node together, whenever the schedule says nothing else. */
  'transfer-max-megabits-per-second': wholeNumber(1, MOST_MEGABITS).optional(),
  'transfer-bandwidth-schedule': z
    .string()
    .transform((text, context) => {
      const parsed = parseBandwidthSchedule(text);
      if (parsed.ok) return parsed.rules;
      context.addIssue({ code: 'custom', message: parsed.problem });
      return z.NEVER;
    })
    .optional(),
  'checksum-max-workers': tunable('checksum_max_workers'),
  'scanner-concurrency-value': tunable('scanner_concurrency_value'),
  'file-download-parallel-downloads-num': tunable('file_download_parallel_downloads_num'),
  'file-upload-parallel-uploads-num': tunable('file_upload_parallel_uploads_num'),
  'max-transcoding-jobs': tunable('max_transcoding_jobs'),
  'leader-ttl-ms': wholeNumber(1_000, 120_000).default(3_000),
  'leader-renew-ms': wholeNumber(100, 30_000).default(750),
  'leader-margin-ms': wholeNumber(100, 30_000).default(750),
  'heartbeat-lapse-ms': wholeNumber(3_000, 600_000).default(6_000),
  /** iconik allows about 50 (reference C.1). */
  'iconik-requests-per-second': wholeNumber(1, 1_000).default(45),
  'iconik-settle-ms': wholeNumber(1_000, 600_000).default(15_000),
  /** Below it, a busy file server looks like a dead one. */
  'stall-ms': wholeNumber(10_000, 3_600_000).optional(),
  /** Of storages, for checksums. */
  'checksum-max-megabytes-per-second': wholeNumber(1, 100_000).optional(),
  'priority-order': z
    .enum(['larger-first', 'smaller-first'], 'must be larger-first or smaller-first')
    .default('larger-first'),
  'log-level': z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error').default('info'),
  /** Of the log's cache on this node's disk, journal included. */
  'log-cache-max-megabytes': wholeNumber(16, 65_536).default(512),
  /** In the cluster's database, and of what is there in the cache. */
  'log-retention-days': wholeNumber(1, 3_650).default(30),
  /** On 127.0.0.1 only. */
  'metrics-port': wholeNumber(1_024, 65_535).optional(),
  'hardware-encoding': z
    .enum(['off', 'auto', 'videotoolbox', 'nvenc', 'qsv'], 'must be off, auto, videotoolbox, nvenc or qsv')
    .default('off'),
  'ffmpeg-path': text.optional(),
  'ffprobe-path': text.optional(),
  'https-proxy': webUrl('must be a URL such as http://proxy:3128').optional(),
  'direct-transfer-address': text
    .regex(LISTEN_ADDRESS, 'must be HOST:PORT, such as 0.0.0.0:8443 or [::]:8443')
    .transform((address) => {
      const [, host = '', port] = LISTEN_ADDRESS.exec(address) ?? [];
      return { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? DIRECT_TRANSFER_PORT) };
    })
    .refine(({ port }) => port >= 1 && port <= 65_535, 'must name a port from 1 to 65535')
    .optional(),
  'direct-transfer-certificate': text.optional(),
  'direct-transfer-key': text.optional(),
  'direct-transfer-ca': text.optional(),
  'update-url': z
    .string()
    .refine(isUpdateUrl, 'must be a URL that begins with https://')
    .transform((href) => (href.endsWith('/') ? href : `${href}/`))
    .optional(),
  'update-check-hours': wholeNumber(1, 720).default(6),
  'update-window': z
    .string()
    .transform((text, context) => {
      const window = parseUpdateWindow(text);
      if (window !== null) return window;
      context.addIssue({ code: 'custom', message: 'must be two times of day such as 22:00-05:30' });
      return z.NEVER;
    })
    .optional(),
  'data-dir': text.optional(),
} as const;

/** A key of config.ini. */
export type ConfigKey = keyof typeof CONFIG_KEYS;
/** All keys, in the order in which they are shown. */
export const CONFIG_KEY_NAMES = Object.keys(CONFIG_KEYS) as ConfigKey[];
/** Values of all keys after parsing; secrets are plain text here and must be wrapped or dropped at once. */
export type PlainConfigValues = { [Key in ConfigKey]: z.output<(typeof CONFIG_KEYS)[Key]> };

/** Keys whose value never leaves main and agent. */
export const SECRET_KEYS = ['auth-token', 'db-connection-uri'] as const satisfies readonly ConfigKey[];
/** A key whose value never leaves main and agent. */
export type SecretKey = (typeof SECRET_KEYS)[number];

/** Whether this value must be kept from screens and logs: a secret key, or a proxy URL with a user or password in it. */
export function isSecretValue(key: string, value: string): boolean {
  if ((SECRET_KEYS as readonly string[]).includes(key)) return true;
  return key === 'https-proxy' && value.includes('@');
}

/** Keys that are understood but refused or without effect, and why. */
export const REFUSED_KEYS: Readonly<Record<string, string>> = {
  'visibility-timeout':
    'may not stand in config.ini: all nodes must use one lease time, so it is set only on the cluster in iconik (visibility_timeout)',
};
/** Keys of the vendor's standalone gateway that have no meaning for a cluster node. */
export const IDLE_KEYS: Readonly<Record<string, string>> = {
  'storage-id': 'has no effect: a node gets its storages from its storage gateway entity in iconik',
};

/** A listener needs all of them. */
const DIRECT_TRANSFER_KEYS = [
  'direct-transfer-address',
  'direct-transfer-certificate',
  'direct-transfer-key',
] as const satisfies readonly ConfigKey[];

/** Finds what single keys cannot tell. Returns one sentence per broken relation. Pure. */
export function checkRelations(
  values: Pick<PlainConfigValues, 'leader-ttl-ms' | 'leader-renew-ms' | 'leader-margin-ms'> &
    Partial<Pick<PlainConfigValues, (typeof DIRECT_TRANSFER_KEYS)[number]>>,
): string[] {
  const problems: string[] = [];
  const ttl = values['leader-ttl-ms'];
  const renew = values['leader-renew-ms'];
  const margin = values['leader-margin-ms'];
  if (ttl <= renew * 2 + margin) {
    problems.push(
      `leader-ttl-ms (${ttl}) must be more than 2 × leader-renew-ms + leader-margin-ms (${renew * 2 + margin}): a leader needs two tries to renew before it stops trusting itself`,
    );
  }
  const [address, ...files] = DIRECT_TRANSFER_KEYS;
  const missing = files.filter((key) => values[key] === undefined);
  if (values[address] !== undefined && missing.length > 0) {
    problems.push(
      `direct-transfer-address needs ${missing.join(' and ')}: other gateways fetch only from one whose certificate they can verify`,
    );
  }
  return problems;
}
