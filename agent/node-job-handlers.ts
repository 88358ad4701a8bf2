import { enqueueJobs } from './db/queries/job.ts';
import type { IconikApi } from './iconik/api.ts';
import type { CreateOnce } from './iconik/creation/create-once.ts';
import { createUploadObject } from './iconik/object-upload/create-upload-object.ts';
import { createLookAtCopy } from './iconik/object-upload/look-at-copy.ts';
import type { AbandonedUpload, UploadObject } from './iconik/object-upload/upload-object.ts';
import type { JobHandler } from './jobs/job-handler.ts';
import type { NodeRolesOptions } from './node-roles-options.ts';
import { createChecksumHandler } from './roles/checksum/checksum-handler.ts';
import { createMhlHandler } from './roles/checksum/mhl-handler.ts';
import { bytesPerWorker } from './roles/checksum/read-limit-plan.ts';
import { createChecksumSelfTest } from './roles/checksum/self-test.ts';
import { createVerifyHandler } from './roles/checksum/verify-handler.ts';
import { createDeleteHandler } from './roles/main/deletion/delete-handler.ts';
import { createTranscoderProfiles } from './roles/main/transcoders/transcoder-profiles.ts';
import type { Ffmpeg } from './roles/transcode/ffmpeg/ffmpeg.ts';
import { DEFAULT_PROXY_SETTINGS } from './roles/transcode/ffmpeg/rendition-plan.ts';
import { createTranscodeSelfTest } from './roles/transcode/self-test.ts';
import type { Tools } from './roles/transcode/tools/find-tools.ts';
import { createTranscodeHandler } from './roles/transcode/transcode-handler.ts';
import { createTranscodeSettings } from './roles/transcode/transcode-settings.ts';
import { createClearRemainsHandler } from './roles/transfer/clear-remains-handler.ts';
import { createDeleteCopyHandler } from './roles/transfer/delete-copy-handler.ts';
import { createDirectDownloadHandler } from './roles/transfer/direct/direct-download-handler.ts';
import { probeGateway } from './roles/transfer/direct/probe-gateway.ts';
import {
  createRelayCleanUpHandler,
  createRelayDownloadHandler,
} from './roles/transfer/direct/relay-download-handler.ts';
import {
  createRelayUploadHandler,
  type RelayUploadDeps,
  withTemporaryParts,
} from './roles/transfer/direct/relay-upload-handler.ts';
import { createDownloadHandler } from './roles/transfer/download-handler.ts';
import { createUploadHandler } from './roles/transfer/upload-handler.ts';
import type { ChildGuard } from './runtime/child-guard/child-guard.ts';
import { systemClock } from './runtime/clock.ts';
import { stallWindows } from './stall-windows.ts';
import { withinScanDirectories } from './storage/scan-directory-guard.ts';
import type { StorageAccess } from './storage/storage-access.ts';
import type { WatchFolders } from './storage/watch-folder-access.ts';
import { VERSION } from './version.ts';
/** What the handlers share. */
export interface JobTools {
  createOnce: CreateOnce;
  tempStorage: StorageAccess;
  tempDir: string;
  watchFolders: WatchFolders;
  guard: ChildGuard;
  ffmpeg(): Ffmpeg | null;
  tools(): Promise<Tools>;
}

/** Handlers of all kinds of jobs but those of events. Starts nothing. */
export function jobHandlers(options: NodeRolesOptions, tools: JobTools): JobHandler[] {
  const { api, database, host } = options;
  const { config } = host;
  const { createOnce } = tools;
  const { find, storageOf } = storageFinder(options);
  const accessOf = (storageId: string) => find(storageId)?.access ?? null;
  const maxBytesPerSecond = () => {
    const workers = options.tunables().checksum_max_workers.value;
    return bytesPerWorker(config.checksumMegabytesPerSecond, workers);
  };
  const transcoders = createTranscoderProfiles({ iconik: api, clock: systemClock, log: host.log });
  const mayDelete = (storageId: string) => find(storageId)?.storage.settings.delete === true;
  const uploadObject = uploaderOf(options, api);
  return [
    {
      ...createChecksumHandler({ storageOf: accessOf, maxBytesPerSecond }),
      selfTest: createChecksumSelfTest(tools.tempStorage),
    },
    {
      ...createTranscodeHandler({
        api,
        uploadObject,
        storageOf,
        ...tools,
        settings: createTranscodeSettings({
          ofConfig: () => ({
            ...DEFAULT_PROXY_SETTINGS,
            videoBox: config.proxyResolution,
            videoBitRate: config.proxyBitrate,
            imageBox: config.imageProxyResolution,
            mapsPictures: config.enableHdrToSdrKeyframeConversion,
          }),
          transcoders,
          log: host.log,
        }),
        transcoderOf: (file, signal) => transcoders.ofFile(file, signal),
      }),
      ...stallWindows(config.stallMs).transcodeJob,
      selfTest: createTranscodeSelfTest(tools),
    },
    createVerifyHandler({ sql: database, storageOf: accessOf, maxBytesPerSecond }),
    createMhlHandler({
      sql: database,
      storageOf,
      mayWrite: (storageId) => find(storageId)?.storage.settings.write === true,
      hostName: options.machine.name,
      version: VERSION,
      wallMs: () => systemClock.wallMs(),
    }),
    createUploadHandler({ api, createOnce, uploadObject, storageOf }),
    createDownloadHandler({ api, createOnce, sql: database, storageOf }),
    ...gatewayHandlers(options, {
      createOnce,
      storageOf,
      uploadTemporary: uploaderOf(options, withTemporaryParts(api)),
    }),
    createClearRemainsHandler({ sql: database, storageOf }),
    createDeleteCopyHandler({
      api,
      sql: database,
      storageOf,
      mayDelete,
      lookAtCopy: createLookAtCopy({ proxyUrl: host.config.httpsProxy }),
    }),
    createDeleteHandler({ database, storage: storageOf, mayDelete }),
  ] as JobHandler[];
}

// Size and number of parts may change while the node runs; an upload under way goes on as it began.
function uploaderOf({ host: { config } }: NodeRolesOptions, api: IconikApi): UploadObject {
  let made: { partSizeBytes: number | undefined; partsAtOnce: number | undefined; uploader: UploadObject } | null =
    null;
  const current = (): UploadObject => {
    const { uploadChunkBytes: partSizeBytes, uploadThreads: partsAtOnce } = config;
    if (made?.partSizeBytes !== partSizeBytes || made?.partsAtOnce !== partsAtOnce || made === null) {
      const uploader = createUploadObject({
        api,
        proxyUrl: config.httpsProxy,
        ...stallWindows(config.stallMs).upload,
        ...(partSizeBytes === undefined ? {} : { partSizeBytes }),
        ...(partsAtOnce === undefined ? {} : { partsAtOnce }),
      });
      made = { partSizeBytes, partsAtOnce, uploader };
    }
    return made.uploader;
  };
  const upload = (args: Parameters<UploadObject>[0]) => current()(args);
  return Object.assign(upload, { abandon: (unfinished: AbandonedUpload) => current().abandon(unfinished) });
}

// Transfers from and to other gateways.
function gatewayHandlers(
  { api, database, host, extraCa }: NodeRolesOptions,
  tools: Pick<RelayUploadDeps, 'createOnce' | 'storageOf' | 'uploadTemporary'>,
): unknown[] {
  const downloads = { api, sql: database, ...tools };
  const line = { httpsProxy: host.config.httpsProxy ?? null, extraCa };
  return [
    createDirectDownloadHandler({ ...downloads, probe: (origin, signal) => probeGateway(origin, line, signal) }),
    createRelayUploadHandler({ api, ...tools }),
    createRelayDownloadHandler({ ...downloads, enqueueJobs }),
    createRelayCleanUpHandler({ api, sql: downloads.sql }),
  ];
}

/** Finds storages that this node serves; `storageOf` keeps jobs within the scan directories. */
export function storageFinder({ served }: NodeRolesOptions) {
  const find = (storageId: string) => served().find(({ storage }) => storage.id === storageId) ?? null;
  const storageOf = (storageId: string) => {
    const found = find(storageId);
    if (!found) return null;
    return withinScanDirectories(found.access, () => find(storageId)?.storage.settings ?? found.storage.settings);
  };
  return { find, storageOf };
}
