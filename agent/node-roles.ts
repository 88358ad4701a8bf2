import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createNodeLogUpkeep } from './cluster/log-shipping/node-log-upkeep.ts';
import { createIntentStore } from './db/queries/intent.ts';
import { enqueueJobs } from './db/queries/job.ts';
import type { CreateOnce } from './iconik/creation/create-once.ts';
import { createCreateOnce } from './iconik/creation/intended-creation.ts';
import { createSendLogFile } from './iconik/send-log-file.ts';
import type { JobHandler } from './jobs/job-handler.ts';
import type { JobTrouble } from './jobs/job-trouble.ts';
import { createPgUpkeepStore } from './jobs/pg-upkeep-store.ts';
import { JobUpkeep } from './jobs/upkeep.ts';
import type { LeaderWork } from './leader/leadership.ts';
import { tempDirOf } from './node-host.ts';
import { jobHandlers, storageFinder } from './node-job-handlers.ts';
import type { NodeRolesOptions } from './node-roles-options.ts';
import { createCollectionMapper } from './roles/main/ingest/collection-mapper.ts';
import { createIngestWork } from './roles/main/ingest/ingester.ts';
import { createDownloadTidying } from './roles/main/queues/download-tidying.ts';
import { createEventJobHandlers } from './roles/main/queues/event-job-handlers.ts';
import { createQueueWork } from './roles/main/queues/queue-work.ts';
import { createSettleWork } from './roles/main/queues/settle.ts';
import { createLogUpload, type LogUpload } from './roles/main/report/log-upload.ts';
import { createReportWork } from './roles/main/report/report-work.ts';
import { createTelemetry, type Telemetry } from './roles/main/report/telemetry.ts';
import { createScanWork, type ScanWork } from './roles/main/scan/scanner.ts';
import { createTranscoderProfiles } from './roles/main/transcoders/transcoder-profiles.ts';
import { createFfmpeg, type Ffmpeg } from './roles/transcode/ffmpeg/ffmpeg.ts';
import { findFfmpeg } from './roles/transcode/ffmpeg/find-ffmpeg.ts';
import { cleanTemp } from './roles/transcode/job-temp.ts';
import { findTools, NO_TOOLS, type Tools } from './roles/transcode/tools/find-tools.ts';
import { DirectListener } from './roles/transfer/direct/direct-listener.ts';
import type { ChildGuard } from './runtime/child-guard/child-guard.ts';
import { systemClock } from './runtime/clock.ts';
import type { Service } from './runtime/service.ts';
import { stallWindows } from './stall-windows.ts';
import { createStorageAccess } from './storage/create-storage-access.ts';
import { createWatchFolders } from './storage/watch-folder-access.ts';
import { VERSION } from './version.ts';

/** The work of this node: handlers of jobs, leader-only work, and telemetry. */
export interface NodeRoles {
  handlers: readonly JobHandler[];
  leaderWork: readonly LeaderWork[];
  telemetry: Telemetry;
  /** Hands files to other gateways; off unless configured. */
  directListener: Service;
  /** For whoever is asked for this node's logs. */
  logUpload: LogUpload;
  /** What this node, as leader, knows to be wrong with the queue. */
  queueTroubles(): readonly JobTrouble[];
  /** Removes what earlier runs left in the temp folder; call before jobs run. */
  cleanUp(): Promise<void>;
  /** Looks for ffmpeg; throws `ffmpeg-missing` with the words for people. */
  findFfmpeg(): Promise<Ffmpeg>;
  stop(): Promise<void>;
}

/** Programs that do not answer within this are taken for absent until the next look. */
const FIND_FFMPEG_MS = 28_000;
const FIND_TOOLS_MS = 20_000;
/** How long what was found of the other programs is taken for true. */
const FRESH_TOOLS_MS = 600_000;

/** Wires the roles; starts nothing. */
export function createNodeRoles(options: NodeRolesOptions): NodeRoles {
  const { host, guard, api, database } = options;
  const { config, log } = host;
  const createOnce = createCreateOnce({
    intents: createIntentStore(database),
    clock: systemClock,
    settleMs: config.iconikSettleMs,
    deadlineMs: 10_000,
    log,
  });
  const tempDir = tempDirOf(config);
  const tempStorage = createTempStorage(options, tempDir);
  const watchFolders = createWatchFolders({ guard, log });
  const ffmpeg = createFfmpegFinder(options);
  const scan = createScan(options);
  const upkeep = new JobUpkeep({ store: createPgUpkeepStore(database), clock: systemClock, log });
  const logUpkeep = createNodeLogUpkeep({ database, clock: systemClock, log, days: config.logRetentionDays });
  return {
    handlers: [
      ...jobHandlers(options, {
        createOnce,
        tempStorage,
        tempDir,
        watchFolders,
        guard,
        ffmpeg: ffmpeg.current,
        tools: createToolFinder(guard),
      }),
      ...(createEventJobHandlers({
        database,
        iconik: api,
        collections: createCollectionMapper({ api: api.inLine('bulk'), createOnce }),
        scanOnDemand: (storageId, request) => scan.requestScan(storageId, request),
      }) as JobHandler[]),
    ],
    leaderWork: [...leaderWork(options, createOnce, scan), upkeep, logUpkeep],
    queueTroubles: () => upkeep.troubles(),
    telemetry: createTelemetry({
      iconik: api.inLine('vital'),
      clock: systemClock,
      log,
      storageGatewayId: config.storageGatewayId,
      workerId: options.workerId,
      version: VERSION,
      host: options.machine,
      start: { status: 'SUCCESS', message: '', atMs: systemClock.wallMs() },
      nodeStatus: () => options.status().telemetry,
      isLeader: options.isLeader,
      lines: host.lines,
      errorLines: host.errorLines,
    }),
    directListener: listenerOf(options),
    logUpload: logUploadOf(options),
    cleanUp: () => cleanTemp(tempDir),
    findFfmpeg: ffmpeg.find,
    stop: async () => {
      await Promise.all([tempStorage.stop(), watchFolders.stop()]);
    },
  };
}

/** The folder for renditions in the making, reached as a storage is. */
function createTempStorage({ host: { config, log }, guard, bandwidth, extraCa }: NodeRolesOptions, folder: string) {
  mkdirSync(folder, { recursive: true });
  return createStorageAccess({
    storageId: 'temp',
    mountPoint: folder,
    guard,
    log,
    httpsProxy: config.httpsProxy ?? null,
    bandwidth,
    extraCa,
    ...stallWindows(config.stallMs).storage,
  });
}

// ffmpeg may be installed while the node runs: the health check looks again, and what it finds is used from then on.
function createFfmpegFinder({ host: { config }, guard }: NodeRolesOptions) {
  let found: Ffmpeg | null = null;
  return {
    current: () => found,
    find: async () => {
      const programs = await findFfmpeg({
        ffmpegPath: config.ffmpegPath,
        ffprobePath: config.ffprobePath,
        guard,
        signal: AbortSignal.timeout(FIND_FFMPEG_MS),
      });
      const { hardwareEncoding } = config;
      found ??= createFfmpeg({ programs, guard, hardwareEncoding, ...stallWindows(config.stallMs).ffmpeg });
      return found;
    },
  };
}

// The other programs that read media are looked for when a job begins, at most every ten minutes: they may be installed while
// the node runs, and none of them is needed.
function createToolFinder(guard: ChildGuard): () => Promise<Tools> {
  let dueMs = 0;
  let last: Promise<Tools> | null = null;
  return () => {
    const nowMs = systemClock.monotonicMs();
    if (last === null || nowMs >= dueMs) {
      dueMs = nowMs + FRESH_TOOLS_MS;
      last = findTools({ guard, signal: AbortSignal.timeout(FIND_TOOLS_MS) }).catch(() => NO_TOOLS);
    }
    return last;
  };
}

function logUploadOf({ host, api, workerId }: NodeRolesOptions): LogUpload {
  const { config, log, redact } = host;
  const iconik = api.inLine('leader');
  return createLogUpload({
    send: createSendLogFile({ iconik, clock: systemClock, random: Math.random, proxyUrl: config.httpsProxy }),
    folder: join(config.dataDir, 'logs'),
    redact,
    workerId,
    clock: systemClock,
    log,
  });
}

function listenerOf(options: NodeRolesOptions): Service {
  const { api, database, host } = options;
  return new DirectListener({
    iconik: api,
    sql: database,
    clock: systemClock,
    log: host.log,
    storageOf: storageFinder(options).storageOf,
    isOpen: options.isTransferring,
    address: host.config.directTransfer ?? null,
  });
}

function createScan({ api, database, host, served, tunables, isStorageHealthy }: NodeRolesOptions): ScanWork {
  return createScanWork({
    api: api.inLine('bulk'),
    database,
    clock: systemClock,
    log: host.log,
    random: Math.random,
    storages: served,
    isStorageHealthy,
    scannerConcurrency: () => tunables().scanner_concurrency_value.value,
    enqueueJobs,
  });
}

function leaderWork(options: NodeRolesOptions, createOnce: CreateOnce, scan: ScanWork): LeaderWork[] {
  const { api, database, host, machine, served } = options;
  const leading = api.inLine('leader');
  const bulk = api.inLine('bulk');
  const shared = {
    api: leading,
    iconik: leading,
    database,
    clock: systemClock,
    log: host.log,
    random: Math.random,
    storages: served,
    transcoders: createTranscoderProfiles({ iconik: leading, clock: systemClock, log: host.log }),
  };
  return [
    scan,
    createIngestWork({
      ...shared,
      api: bulk,
      createOnce,
      enqueueJobs,
    }),
    createQueueWork({
      ...shared,
      storageIds: () => served().map(({ storage }) => storage.id),
      storage: (storageId) => served().find(({ storage }) => storage.id === storageId)?.storage ?? null,
      restart: (storageId) => {
        host.log.warn("The node is restarted on iconik's order", { storageId });
        host.restart();
      },
    }),
    createDownloadTidying(shared),
    createSettleWork({ ...shared, settleMs: host.config.iconikSettleMs }),
    createReportWork({
      ...shared,
      storages: () => served().map(({ storage }) => ({ id: storage.id, scans: storage.settings.scan === true })),
      storageHealth: options.storageHealth,
      node: {
        version: VERSION,
        hostName: machine.name,
        hostInfo: machine.info,
        startStatus: 'SUCCESS',
        startStatusMessage: '',
        status: () => options.status().telemetry,
      },
      isLast: options.isLast,
      linesAbout: host.linesAbout,
    }),
  ];
}
