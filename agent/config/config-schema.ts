import { z } from 'zod';
import { TUNABLES } from './precedence.ts';
import { Secret } from './secret.ts';

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
const secret = word.transform((value) => new Secret(value));
const tunable = (name: keyof typeof TUNABLES) => wholeNumber(TUNABLES[name].min, TUNABLES[name].max).optional();

/**
 * All keys of config.ini, each parsed from its text. Vendor's keys with the vendor's ranges (reference A.3), then our own
 * (design: settings). Times in milliseconds where the name says so.
 */
export const CONFIG_KEYS = {
  'iconik-url': baseUrl.default('https://app.iconik.io/'),
  'app-id': word,
  'auth-token': secret,
  'storage-gateway-id': word,
  /** Used only to start while iconik is away. */
  'db-connection-uri': z
    .string()
    .refine((uri) => /^postgres(ql)?:\/\//.test(uri), 'must begin with postgresql://')
    .transform((uri) => new Secret(uri))
    .optional(),
  /** Largest box of the video proxy. */
  'proxy-resolution': box({ width: 640, height: 360 }, { width: 1920, height: 1080 }).default({
    width: 1280,
    height: 720,
  }),
  /** Bits per second of the video proxy at most. */
  'proxy-bitrate': wholeNumber(200_000, 99_000_000).default(3_000_000),
  /** Largest box of the image proxy. */
  'image-proxy-resolution': box({ width: 180, height: 180 }, { width: 16_000, height: 16_000 }).default({
    width: 2048,
    height: 2048,
  }),
  'enable-hdr-to-sdr-keyframe-conversion': flag.default(true),
  /** False: ffmpeg of the PATH goes before the packaged one. */
  'use-packaged-ffmpeg': flag.default(true),
  /** Accepted for the vendor's files; nothing here needs ImageMagick. */
  'use-packaged-imagemagick': flag.default(true),
  /** Parts of one file uploaded at a time. */
  'file-upload-parallel-uploads-threads-num': wholeNumber(1, 64).optional(),
  /** Bytes of one part of an upload (S3 allows 5 MiB to 5 GiB). */
  'upload-chunk-size': wholeNumber(5_242_880, 5_368_709_120).optional(),
  'checksum-max-workers': tunable('checksum_max_workers'),
  'scanner-concurrency-value': tunable('scanner_concurrency_value'),
  'file-download-parallel-downloads-num': tunable('file_download_parallel_downloads_num'),
  'file-upload-parallel-uploads-num': tunable('file_upload_parallel_uploads_num'),
  'max-transcoding-jobs': tunable('max_transcoding_jobs'),
  /** How long a leader's lease lasts without renewal. */
  'leader-ttl-ms': wholeNumber(1_000, 120_000).default(3_000),
  /** How often it is renewed. */
  'leader-renew-ms': wholeNumber(100, 30_000).default(750),
  /** How long before the lease's end a leader stops trusting itself. */
  'leader-margin-ms': wholeNumber(100, 30_000).default(750),
  /** How long a worker's heartbeat must stand still before others free its jobs. */
  'heartbeat-lapse-ms': wholeNumber(3_000, 600_000).default(6_000),
  /** Requests per second to iconik for all workers with one App-ID. iconik allows about 50 (reference C.1). */
  'iconik-requests-per-second': wholeNumber(1, 1_000).default(45),
  /** How long after its deadline a creation without answer stays in doubt. */
  'iconik-settle-ms': wholeNumber(1_000, 600_000).default(15_000),
  /** Which job priority comes first. */
  'priority-order': z
    .enum(['larger-first', 'smaller-first'], 'must be larger-first or smaller-first')
    .default('larger-first'),
  'log-level': z.enum(['debug', 'info', 'warn', 'error'], 'must be debug, info, warn or error').default('info'),
  'ffmpeg-path': text.optional(),
  'ffprobe-path': text.optional(),
  'https-proxy': webUrl('must be a URL such as http://proxy:3128').optional(),
  'data-dir': text.optional(),
} as const;

/** A key of config.ini. */
export type ConfigKey = keyof typeof CONFIG_KEYS;

/** Keys that are understood but refused or without effect, and why. */
export const REFUSED_KEYS: Readonly<Record<string, string>> = {
  'visibility-timeout':
    'may not stand in config.ini: all nodes must use one lease time, so it is set only on the cluster in iconik (visibility_timeout)',
};
/** Keys of the vendor's standalone gateway that have no meaning for a cluster node. */
export const IDLE_KEYS: Readonly<Record<string, string>> = {
  'storage-id': 'has no effect: a node gets its storages from its storage gateway entity in iconik',
};

/** Values of all keys after parsing. */
export type ConfigValues = { [Key in ConfigKey]: z.output<(typeof CONFIG_KEYS)[Key]> };

/** Finds what single keys cannot tell. Returns one sentence per broken relation. */
export function checkRelations(values: ConfigValues): string[] {
  const problems: string[] = [];
  const ttl = values['leader-ttl-ms'];
  const renew = values['leader-renew-ms'];
  const margin = values['leader-margin-ms'];
  if (ttl <= renew * 2 + margin) {
    problems.push(
      `leader-ttl-ms (${ttl}) must be more than 2 × leader-renew-ms + leader-margin-ms (${renew * 2 + margin}): a leader needs two tries to renew before it stops trusting itself`,
    );
  }
  return problems;
}
