import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import {
  type BandwidthRule,
  type ConfigFile,
  checkRelations,
  collectSettings,
  decodeConfigBytes,
  defaultConfigPath,
  defaultDataDir,
  type HostFacts,
  inOrder,
  parseConfigFile,
  parseSettings,
  type Resolution,
} from '../contract/index.ts';
import { type ConfigValues, wrapSecrets } from './config-schema.ts';
import { type Flags, parseFlags } from './flags.ts';
import type { TunableName } from './precedence.ts';
import type { Secret } from './secret.ts';

/** The listener for direct transfers; files in PEM. */
interface ListenerConfig {
  /** '' = all interfaces. */
  host: string;
  port: number;
  certificateFile: string;
  keyFile: string;
}

/** Everything this node knows before it has asked anybody. */
export interface NodeConfig {
  /** Ends in '/'. */
  iconikUrl: string;
  appId: string;
  authToken: Secret;
  storageGatewayId: string;
  /** Only to start while iconik is away; the cluster entity's URI rules. */
  dbConnectionUri: Secret | undefined;
  proxyResolution: Resolution;
  /** Bits per second. */
  proxyBitrate: number;
  imageProxyResolution: Resolution;
  enableHdrToSdrKeyframeConversion: boolean;
  usePackagedFfmpeg: boolean;
  /** Parts of one file uploaded at a time; undefined: the uploader decides. */
  uploadThreads: number | undefined;
  /** Bytes per part of an upload; undefined: the uploader decides. */
  uploadChunkBytes: number | undefined;
  /** For all transfers of this node together; undefined: no limit but the schedule's. */
  transferMegabitsPerSecond: number | undefined;
  /** Rules that go before that limit, the first that fits; empty: none. */
  transferSchedule: readonly BandwidthRule[];
  /** Tier `config.ini` for `resolveTunables`; holds only what the file says. */
  tunables: Partial<Record<TunableName, number>>;
  leaderTtlMs: number;
  leaderRenewMs: number;
  leaderMarginMs: number;
  heartbeatLapseMs: number;
  iconikRequestsPerSecond: number;
  iconikSettleMs: number;
  /** Milliseconds without progress before ffmpeg or a transfer is ended; undefined: each kind of work decides. */
  stallMs: number | undefined;
  checksumMegabytesPerSecond: number | undefined;
  priorityOrder: 'larger-first' | 'smaller-first';
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  logCacheMegabytes: number;
  logRetentionDays: number;
  /** Of Prometheus metrics on 127.0.0.1; undefined = none. */
  metricsPort: number | undefined;
  /** Which hardware may encode video proxies. */
  hardwareEncoding: 'off' | 'auto' | 'videotoolbox' | 'nvenc' | 'qsv';
  ffmpegPath: string | undefined;
  ffprobePath: string | undefined;
  /** From the key, else from HTTPS_PROXY. May hold a password: never log it. */
  httpsProxy: string | undefined;
  /** Where other gateways may fetch files; undefined: no port is opened. */
  directTransfer: ListenerConfig | undefined;
  /** PEM file of an authority that is trusted for transfers beside the system's. */
  directTransferCa: string | undefined;
  /** Absolute. */
  dataDir: string;
  /** The file that was read; undefined when flags said all. */
  configPath: string | undefined;
  noWait: boolean;
}

/** What loading came to. */
export type LoadedConfig =
  /** `text` is what the file held; null when flags said all. */
  { kind: 'ok'; config: NodeConfig; warnings: string[]; text: string | null } | { kind: 'invalid'; problems: string[] };

/** The machine as `loadConfig` sees it; replaceable in tests. `readText` is null when there is no such file. */
export interface ConfigHost extends HostFacts {
  readText(path: string): string | null;
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR');
}

/** This machine. `readText` throws what the file system threw, unless the file is missing. */
function thisHost(env: Readonly<Record<string, string | undefined>>, isService = false): ConfigHost {
  const isSystemAccount = /^(SYSTEM|LOCAL SERVICE|NETWORK SERVICE|.*\$)$/i.test(env.USERNAME ?? '');
  return {
    platform: process.platform,
    isService: isService || (process.platform === 'win32' ? isSystemAccount : process.getuid?.() === 0),
    homeDir: homedir(),
    env,
    readText: (path) => {
      try {
        const decoded = decodeConfigBytes(readFileSync(path));
        if (decoded.kind === 'text') return decoded.text;
        throw new Error(decoded.problem);
      } catch (thrown) {
        if (isMissing(thrown)) return null;
        throw thrown;
      }
    },
  };
}

/** This machine, with another text in place of every config.ini. */
export function hostWithText(env: Readonly<Record<string, string | undefined>>, text: string): ConfigHost {
  return { ...thisHost(env), readText: () => text };
}

interface ReadFile extends ConfigFile {
  path: string | undefined;
  text: string | null;
}

function readConfigFile(flags: Flags, host: ConfigHost): ReadFile {
  const path = flags.config === undefined ? defaultConfigPath(host) : resolve(flags.config);
  const nothing = { entries: [], warnings: [], path: undefined, text: null };
  try {
    const text = host.readText(path);
    if (text !== null) return { ...parseConfigFile(text), path, text };
    if (flags.config !== undefined) return { ...nothing, problems: ['there is no such file'], path };
    return { ...nothing, problems: [] };
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : 'unknown';
    return { ...nothing, problems: [`the file cannot be read: ${why}`], path };
  }
}

function tunablesOf(values: ConfigValues): NodeConfig['tunables'] {
  const said = {
    checksum_max_workers: values['checksum-max-workers'],
    scanner_concurrency_value: values['scanner-concurrency-value'],
    file_download_parallel_downloads_num: values['file-download-parallel-downloads-num'],
    file_upload_parallel_uploads_num: values['file-upload-parallel-uploads-num'],
    max_transcoding_jobs: values['max-transcoding-jobs'],
  };
  const tunables: NodeConfig['tunables'] = {};
  for (const name of Object.keys(said) as TunableName[]) {
    const value = said[name];
    if (value !== undefined) tunables[name] = value;
  }
  return tunables;
}

/** HTTPS_PROXY as other programs read it; what is no URL counts as not set. */
function proxyOfEnvironment(host: ConfigHost): string | undefined {
  const text = host.env.HTTPS_PROXY || host.env.https_proxy;
  return text !== undefined && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : undefined;
}

function listenerOf(values: ConfigValues): ListenerConfig | undefined {
  const address = values['direct-transfer-address'];
  const certificateFile = values['direct-transfer-certificate'];
  const keyFile = values['direct-transfer-key'];
  return address && certificateFile && keyFile ? { ...address, certificateFile, keyFile } : undefined;
}

function assemble(values: ConfigValues, flags: Flags, file: ReadFile, host: ConfigHost): NodeConfig {
  return {
    iconikUrl: values['iconik-url'],
    appId: values['app-id'],
    authToken: values['auth-token'],
    storageGatewayId: values['storage-gateway-id'],
    dbConnectionUri: values['db-connection-uri'],
    proxyResolution: values['proxy-resolution'],
    proxyBitrate: values['proxy-bitrate'],
    imageProxyResolution: values['image-proxy-resolution'],
    enableHdrToSdrKeyframeConversion: values['enable-hdr-to-sdr-keyframe-conversion'],
    usePackagedFfmpeg: values['use-packaged-ffmpeg'],
    uploadThreads: values['file-upload-parallel-uploads-threads-num'],
    uploadChunkBytes: values['upload-chunk-size'],
    transferMegabitsPerSecond: values['transfer-max-megabits-per-second'],
    transferSchedule: values['transfer-bandwidth-schedule'] ?? [],
    tunables: tunablesOf(values),
    leaderTtlMs: values['leader-ttl-ms'],
    leaderRenewMs: values['leader-renew-ms'],
    leaderMarginMs: values['leader-margin-ms'],
    heartbeatLapseMs: values['heartbeat-lapse-ms'],
    iconikRequestsPerSecond: values['iconik-requests-per-second'],
    iconikSettleMs: values['iconik-settle-ms'],
    stallMs: values['stall-ms'],
    checksumMegabytesPerSecond: values['checksum-max-megabytes-per-second'],
    priorityOrder: values['priority-order'],
    logLevel: values['log-level'],
    logCacheMegabytes: values['log-cache-max-megabytes'],
    logRetentionDays: values['log-retention-days'],
    metricsPort: values['metrics-port'],
    hardwareEncoding: values['hardware-encoding'],
    ffmpegPath: values['ffmpeg-path'],
    ffprobePath: values['ffprobe-path'],
    httpsProxy: values['https-proxy'] ?? proxyOfEnvironment(host),
    directTransfer: listenerOf(values),
    directTransferCa: values['direct-transfer-ca'],
    dataDir: resolve(flags.dataDir ?? values['data-dir'] ?? defaultDataDir(host)),
    configPath: file.path,
    noWait: flags.noWait,
  };
}

/** Where a token is that the desktop application keeps. */
const KEY_STORE = "the system's key store";

function isLoopback(href: string): boolean {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(href).hostname);
}

/** Whether the folders of a service count, whoever runs us. */
const isForService = (flags: Flags): boolean => flags.service || flags.serviceOrder !== undefined;

/**
 * Where config.ini and the data folder are (absolute), and the file's text (null when absent), however wrong
 * the file is. `configText` throws when it cannot be read.
 */
export function locateFiles(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { configPath: string; dataDir: string; configText: () => string | null } {
  const { flags } = parseFlags(argv);
  const host = thisHost(env, isForService(flags));
  const { entries, path = defaultConfigPath(host) } = readConfigFile(flags, host);
  const said = entries.findLast(({ key }) => key === 'data-dir')?.value;
  const dataDir = resolve(flags.dataDir ?? (said || defaultDataDir(host)));
  return { configPath: path, dataDir, configText: () => host.readText(path) };
}

/**
 * Reads flags and config.ini into one checked configuration. A flag wins over the file. Without `--config` the vendor's
 * default location is read if there is a file. All problems are told at once, each with its place; none repeats a value.
 * Never throws. `keptToken` is the token that the desktop application keeps in the system's key store: it counts when neither
 * file nor flag says one.
 */
export function loadConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  host: ConfigHost = thisHost(env, isForService(parseFlags(argv).flags)),
  keptToken?: string,
): LoadedConfig {
  const { flags, problems: flagProblems } = parseFlags(argv);
  const file = readConfigFile(flags, host);
  const path = file.path ?? defaultConfigPath(host);
  const { said, problems: fileProblems, warnings } = collectSettings(file);
  for (const [key, text] of Object.entries(flags.settings)) said.set(key, { text, where: `--${key}` });
  if (keptToken !== undefined && !said.has('auth-token')) said.set('auth-token', { text: keptToken, where: KEY_STORE });
  const values = parseSettings(said, fileProblems, { isReadable: file.problems.length === 0 });
  if (values !== null) fileProblems.push(...checkRelations(values));
  const problems = [...flagProblems, ...inOrder(fileProblems).map((problem) => `${path}: ${problem}`)];
  if (values === null || problems.length > 0) return { kind: 'invalid', problems };
  const config = assemble(wrapSecrets(values), flags, file, host);
  if (config.iconikUrl.startsWith('http:') && !isLoopback(config.iconikUrl)) {
    warnings.push('iconik-url is not https: the auth token travels in the clear');
  }
  return { kind: 'ok', config, warnings: warnings.map((warning) => `${path}: ${warning}`), text: file.text };
}
