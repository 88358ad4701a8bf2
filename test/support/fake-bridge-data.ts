import {
  CONFIG_WORDS,
  type ConfigKey,
  configEffect,
  type JobRow,
  type LogLine,
  type ProblemFile,
  type Role,
  type SettingRow,
} from '../../agent/contract/index.ts';
import type { BridgeAnswer, ConfigEntry } from '../../preload/contract/bridge.ts';
import type { Scene } from './fake-bridge-scenes.ts';

/** Rows behind the calls of the fake bridge: computed from their index, so that 100,000 of them cost nothing to keep. */

const JOB_COUNT: Partial<Record<Scene, number>> = { empty: 0, waiting: 0, large: 100_000, problems: 1_578 };
const LINE_COUNT: Partial<Record<Scene, number>> = { empty: 12, large: 100_000 };
const KINDS: readonly { role: Role; kind: string }[] = [
  { role: 'CHECKSUM', kind: 'checksum' },
  { role: 'TRANSCODE', kind: 'transcode' },
  { role: 'TRANSFER', kind: 'upload' },
  { role: 'TRANSFER', kind: 'download' },
  { role: 'MAIN', kind: 'delete' },
];
const MINUTE = 60_000;

/** How many jobs the scene has. */
export const jobCount = (scene: Scene): number => JOB_COUNT[scene] ?? 240;
/** How many log lines the scene has. */
export const lineCount = (scene: Scene): number => LINE_COUNT[scene] ?? 2_000;

function jobStateAt(scene: Scene, at: number): JobRow['state'] {
  if (at < 3) return 'leased';
  if (scene === 'problems') return at < 1_566 ? 'queued' : at < 1_576 ? 'failed' : 'cancelled';
  if (scene === 'large') return at < 112 ? 'leased' : at % 50 === 7 ? 'failed' : at % 9 === 0 ? 'done' : 'queued';
  return at < 6 ? 'queued' : at === 40 ? 'cancelled' : 'done';
}

/** The job at a place of the scene's list; place 0 is the newest. */
export function jobAt(scene: Scene, at: number, nowMs: number): JobRow {
  const { role, kind } = KINDS[at % KINDS.length] ?? { role: 'CHECKSUM', kind: 'checksum' };
  const state = jobStateAt(scene, at);
  const createdMs = nowMs - at * 40_000 - 5 * MINUTE;
  const isEnded = state === 'done' || state === 'failed' || state === 'cancelled';
  return {
    jobId: `job-${String(at).padStart(6, '0')}`,
    role,
    kind,
    state,
    subject: `Projects/${['Harbour', 'Lighthouse', 'Night shift'][at % 3]}/Day ${1 + (at % 14)}/A${String(at % 999).padStart(3, '0')}_C012_1122.mov`,
    storageId: ['st-nas-post', 'st-archive', 'st-camera'][at % 3] ?? null,
    priority: at % 11 === 0 ? 8 : 5,
    attempts: state === 'failed' ? 8 : state === 'queued' ? 0 : 1,
    progress: state === 'leased' ? ((at * 31) % 97) / 100 : state === 'done' ? 1 : 0,
    note: state === 'leased' ? '212 MB/s' : '',
    nodeName: state === 'queued' ? null : (['node-a', 'node-b', 'node-c'][at % 3] ?? null),
    createdMs,
    startedMs: state === 'queued' ? null : createdMs + MINUTE,
    finishedMs: isEnded ? createdMs + 3 * MINUTE : null,
    error:
      state === 'failed'
        ? {
            code: 'media-unreadable',
            message: 'ffmpeg could not read the file: moov atom not found. The file is probably cut off.',
            retry: 'permanent',
          }
        : null,
  };
}

const MESSAGES: readonly Pick<LogLine, 'level' | 'message' | 'fields'>[] = [
  {
    level: 'info',
    message: 'scan of NAS Post ended: 48,429 files, 3 new',
    fields: '{"storage":"NAS Post","seconds":6.4}',
  },
  { level: 'debug', message: 'no change: leader, term 42', fields: '' },
  {
    level: 'info',
    message: 'checksum done',
    fields: '{"path":"Projects/Harbour/A004_C012_0311.mov","role":"CHECKSUM","mbPerSecond":412}',
  },
  {
    level: 'info',
    message: 'file ingested',
    fields: '{"path":"Projects/Harbour/A004_C012_0311.mov","role":"MAIN","storage":"NAS Post"}',
  },
  { level: 'debug', message: 'heartbeat 88412 written', fields: '' },
  { level: 'warn', message: 'iconik asks for fewer requests; waiting 2 s', fields: '{"status":429}' },
  { level: 'info', message: 'upload 18% at 84.2 MB/s', fields: '{"job":"job-r2","role":"TRANSFER"}' },
  {
    level: 'error',
    message: 'transcode failed: ffmpeg could not read the file: moov atom not found',
    fields: '{"job":"job-f1","role":"TRANSCODE","storage":"NAS Post"}',
  },
];

/** Log line number `seq` (from 1); the line before it is older. */
export function lineAt(seq: number, count: number, nowMs: number): LogLine {
  const rare = seq % 97 === 0 ? 7 : seq % 31 === 0 ? 5 : [0, 1, 2, 3, 4, 6][seq % 6];
  const words = MESSAGES[rare ?? 0] ?? { level: 'info', message: 'line', fields: '' };
  return { seq, atMs: nowMs - (count - seq) * 400, ...words };
}

const setting = (name: string, explanation: string, value: number, row: Partial<SettingRow>): SettingRow => ({
  name,
  explanation,
  value,
  wonBy: 'default',
  beaten: [],
  min: 1,
  max: 64,
  unit: '',
  tiers: ['config.ini', 'node', 'cluster', 'default'],
  remarks: [],
  ...row,
});

/** The settings with all their tiers. */
export function settingRows(): SettingRow[] {
  return [
    setting('checksum_max_workers', 'How many files this node reads for checksums at the same time.', 4, {
      wonBy: 'config.ini',
      beaten: [
        { tier: 'node', value: 8 },
        { tier: 'cluster', value: 6 },
        { tier: 'default', value: 2 },
      ],
      unit: 'files',
    }),
    setting('scanner_concurrency_value', 'How many folders the Primary lists at the same time while it scans.', 8, {
      wonBy: 'cluster',
      beaten: [{ tier: 'default', value: 4 }],
      unit: 'folders',
    }),
    setting('downloads', 'How many downloads this node runs at the same time.', 4, { unit: 'transfers' }),
    setting('uploads', 'How many uploads this node runs at the same time.', 6, {
      wonBy: 'node',
      beaten: [{ tier: 'default', value: 4 }],
      unit: 'transfers',
    }),
    setting('max_transcoding_jobs', 'How many transcodes of one profile this node runs at the same time.', 2, {
      unit: 'jobs',
    }),
    setting('visibility_timeout', 'How long a job may stay with a silent node before another takes it.', 3_600, {
      wonBy: 'cluster',
      beaten: [{ tier: 'default', value: 3_600 }],
      min: 30,
      max: 86_400,
      unit: 's',
      tiers: ['cluster', 'default'],
    }),
  ];
}

const REASONS = [
  { state: 'faulty', reason: 'The file could not be read: input/output error.' },
  { state: 'faulty', reason: 'iconik refused the file: the name is longer than 255 characters.' },
  { state: 'missing', reason: 'The file was gone at the last scan.' },
] as const;

/** A problem file of a storage. */
export function problemAt(at: number): ProblemFile {
  const kind = REASONS[at % REASONS.length] ?? REASONS[0];
  return {
    path: `Projects/Harbour/Day ${1 + (at % 9)}/B${String(at).padStart(3, '0')}_C00${at % 7}.mov`,
    sizeBytes: 1_200_000 * (at + 1),
    ...kind,
  };
}

/** How many problem files the first storage of the scene has; the others have none. */
export const problemCount = (scene: Scene): number => (scene === 'problems' ? 59 : scene === 'large' ? 10_000 : 0);

/** The keys of config.ini. */
function configEntries(): ConfigEntry[] {
  const entry = (
    key: string,
    value: string | null,
    explanation: string,
    rest: Partial<ConfigEntry> = {},
  ): ConfigEntry => ({
    key,
    value,
    isSecret: false,
    isSet: value !== null,
    revision: `${key}=${value}`,
    effect: Object.hasOwn(CONFIG_WORDS, key) ? configEffect(key as ConfigKey) : 'none',
    explanation,
    default: '',
    ...rest,
  });
  return [
    entry('iconik-url', 'https://app.iconik.io', 'Address of iconik.'),
    entry('app-id', 'b0c9a5d2-8d3d-11f0-a7c2-5e2d8a64c0f1', 'App-ID of the token.'),
    entry('auth-token', null, 'Token that iconik gave for the App-ID.', { isSecret: true, isSet: true }),
    entry(
      'storage-gateway-id',
      '3f0c7a52-8d3e-11f0-9b1c-5e2d8a64c0f1',
      'Which storage gateway of the account this node is.',
    ),
    entry('checksum-max-workers', '4', 'How many files are read for checksums at the same time.', { default: '2' }),
    entry('ffmpeg-path', null, 'ffmpeg to use instead of the one that comes with ISG Pro.', {
      default: 'the one that comes with ISG Pro',
    }),
    entry('https-proxy', null, 'Proxy for connections to iconik.', { default: 'the environment variable HTTPS_PROXY' }),
    entry('log-level', 'info', 'Least grave level that is logged.', { default: 'info' }),
  ];
}

/** What `config.read` answers: in the scene with problems with everything there can be to say. */
export function configFile(scene: Scene): BridgeAnswer<'config.read'> {
  const isBad = scene === 'problems';
  return {
    path: '/home/post/.config/isg-pro/config.ini',
    entries: configEntries(),
    warnings: isBad
      ? [
          'line 9: "log-level" was already set in line 4; the later one counts',
          'line 14: unknown key "storage-adress" is kept but has no effect',
        ]
      : [],
    waiting: isBad ? ['stall-ms', 'auth-token'] : [],
    lastGoodMs: scene === 'invalid-config' ? 1_799_990_000_000 : null,
    token: isBad
      ? { place: 'key-store', canUseKeyStore: true, why: '' }
      : {
          place: 'file',
          canUseKeyStore: false,
          why: 'This desktop session has no key store (GNOME Keyring or KWallet), so encryption would protect nothing.',
        },
  };
}
