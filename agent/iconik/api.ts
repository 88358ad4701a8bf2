import type { Role } from '../contract/index.ts';

/**
 * iconik as the node sees it: the calls of one gateway (reference C), with parsed answers. Unknown fields of an answer
 * are kept; unknown enum values survive as text. Every call has a deadline, counts against the request budget, and
 * throws `IsgError`: `iconik-unreachable`, `iconik-throttled` (transient), `iconik-unauthorized`, `iconik-forbidden`,
 * `iconik-not-found`, `iconik-conflict`, `iconik-rejected`, `iconik-answer-unreadable`.
 * Only reads and repeatable writes are retried inside; creations (`create…`) never are.
 */

/** How one call is limited. */
export interface CallLimits {
  /** Ends the call and any retry. */
  signal?: AbortSignal;
}

/** Anything with an id. */
export interface Entity {
  id: string;
}

export interface StorageGateway extends Entity {
  name: string;
  enabled: boolean;
  cluster_id: string | null;
  roles: Role[];
  /** Mount point per storage id. */
  storages: Record<string, { mount_point: string }>;
  settings: Record<string, number | null>;
  date_modified: string | null;
}

export interface StorageGatewayCluster extends Entity {
  name: string;
  enabled: boolean;
  /** Holds a password: never log it, never store it in clear. Empty = none. */
  db_connection_uri: string;
  storage_ids: string[];
  visibility_timeout: number;
  settings: Record<string, number | null>;
  leader_id: string | null;
  date_modified: string | null;
}

/** Settings of a FILE storage (reference A.5); absent ones are undefined, unknown ones are kept. */
export interface FileStorageSettings {
  mount_point?: string | undefined;
  scan?: boolean | undefined;
  scan_directories?: string[] | undefined;
  scan_interval_seconds?: number | undefined;
  growing_files_threshold?: number | undefined;
  scan_ignore?: string[] | undefined;
  scan_include?: string[] | undefined;
  transcode_ignore?: string[] | undefined;
  transcode_include?: string[] | undefined;
  upload_files?: boolean | undefined;
  upload_ignore?: string[] | undefined;
  remote_storage_id?: string | undefined;
  remote_path?: string | undefined;
  local_proxy_creation?: boolean | undefined;
  local_keyframe_creation?: boolean | undefined;
  title_includes_extension?: boolean | undefined;
  filename_is_external_id?: boolean | undefined;
  aggregate_identical_files?: boolean | undefined;
  aggregate_only_on_same_storage?: boolean | undefined;
  aggregate_ignore?: string[] | undefined;
  skip_upload_on_any_remote_copy_found?: boolean | undefined;
  enable_collection_directory_mapping?: boolean | undefined;
  sidecar_metadata_required?: boolean | undefined;
  metadata_view_id?: string | undefined;
  metadata_conversion_url?: string | undefined;
  /** One `Name: value` a line, or a JSON object. May hold a secret: never log it. */
  metadata_conversion_url_headers?: string | undefined;
  folder_name_tags_metadata_field_name?: string | undefined;
  folder_name_tags_metadata_view_id?: string | undefined;
  acl_template_id?: string | undefined;
  access_group_id?: string | undefined;
  enable_auto_versioning?: boolean | undefined;
  asset_versions_suffix?: string | undefined;
  auto_version_ignore?: string[] | undefined;
  auto_version_ingest_throttle_value?: number | undefined;
  enable_directory_assets?: boolean | undefined;
  directory_assets_original_patterns?: string[] | undefined;
  directory_assets_transcode_patterns?: string[] | undefined;
  /** Permits transfers to and from places that are not scanned. */
  allow_access_outside_scan_directories?: boolean | undefined;
  prio_dirs?: { directory: string; priority: number }[] | undefined;
  prio_patterns?: { pattern: string; priority: number }[] | undefined;
  read?: boolean | undefined;
  write?: boolean | undefined;
  delete?: boolean | undefined;
}

export interface Storage extends Entity {
  name: string;
  /** FILE, S3, GCS, B2, AZURE, … */
  method: string;
  purpose: string;
  status: string | null;
  settings: FileStorageSettings;
  date_modified: string | null;
}

export interface GatewayEvent extends Entity {
  type: string;
  data: Record<string, unknown>;
}

export interface Asset extends Entity {
  title: string;
  status: string | null;
  date_created: string | null;
  created_by_user: string | null;
  versions: { id: string; date_created: string | null; created_by_user: string | null; status: string | null }[];
  /** Collections that show the asset. */
  in_collections: string[];
  /** Summaries that a listed asset carries; empty = the asset has no files. */
  files: unknown[];
}

export interface Format extends Entity {
  name: string;
  asset_id: string | null;
  version_id: string | null;
  status?: string | null;
  components: { id?: string | undefined; name: string; type: string }[];
}

export interface FileSet extends Entity {
  name: string;
  base_dir: string;
  storage_id: string | null;
  format_id: string | null;
  asset_id: string | null;
  version_id: string | null;
}

export interface Collection extends Entity {
  title: string;
  external_id: string | null;
  parent_id: string | null;
  status: string | null;
}

/** Values of metadata fields, as iconik takes and gives them (reference C.15). */
export type MetadataValues = Record<string, { field_values: { value: unknown }[] }>;

export interface HistoryEntry extends Entity {
  operation_type: string;
  operation_description: string | null;
}

/** Where and how to send the bytes of a record on a cloud storage (reference C.9). */
export interface UploadTarget {
  storage_method: string | null;
  upload_method: string | null;
  upload_url: string | null;
  multipart_upload_url: string | null;
  upload_credentials: Record<string, unknown> | null;
  upload_filename: string | null;
}

/** Where the next parts of a B2 large file go. */
export interface B2UploadPlace {
  uploadFileId: string;
  uploadUrl: string;
  /** A bearer secret. */
  authorizationToken: string;
}

/** A component of an object on GCS: where it is sent, read and removed. All URLs are secrets. */
export interface GcsPart {
  number: number;
  url: string;
  /** Its name in the bucket. */
  key: string;
  deleteUrl: string | null;
  downloadUrl: string | null;
}

/** Where components on GCS are put together. All URLs are secrets. */
export interface GcsComposition {
  composeUrl: string;
  /** Name in the bucket of what is made. */
  key: string;
  deleteUrl: string | null;
}

export interface FileRecord extends Entity, UploadTarget {
  name: string | null;
  original_name: string | null;
  directory_path: string;
  size: number | null;
  checksum: string | null;
  status: string | null;
  type: string | null;
  storage_id: string | null;
  asset_id: string | null;
  version_id: string | null;
  format_id: string | null;
  file_set_id: string | null;
  /** Signed download URL when asked for. */
  url: string | null;
}

export interface Proxy extends Entity, UploadTarget {
  /** Signed, for downloading; absent while iconik gives none. */
  url?: string | null;
  filename: string | null;
  name: string | null;
  status: string | null;
  storage_id: string | null;
  version_id: string | null;
  size: number | null;
}

export interface Keyframe extends Entity, UploadTarget {
  filename: string | null;
  name: string | null;
  type: string | null;
  status: string | null;
  version_id: string | null;
  size: number | null;
  /** Signed download URL when asked for one. A secret. */
  url?: string | null | undefined;
}

/** Queue records (reference C.12–C.14). Fields not named here are kept. */
export interface TransferFromRecord extends Entity {
  job_id: string | null;
  asset_id: string | null;
  format_id: string | null;
  original_file_set_id: string | null;
  original_storage_id: string | null;
  destination_storage_id: string | null;
  destination_storage_method: string | null;
  destination_directory_path: string | null;
  destination_file_set_name: string | null;
  destination_filename: string | null;
}

export interface TransferToRecord extends Entity {
  job_id: string | null;
  asset_id: string | null;
  format_id: string | null;
  /** Source. */
  file_set_id: string | null;
  /** Direct transfer address of the gateway that holds the source; absent when there is none. */
  original_url: string | null;
  /** The source is a temporary file set, made for this transfer. */
  temporary_file_set_source: boolean;
  original_storage_id: string | null;
  local_storage_id: string | null;
  destination_directory_path: string;
  destination_file_set_name: string;
  destination_base_directory: string | null;
  destination_filename: string | null;
}

export interface DeletionRecord extends Entity {
  file_id: string;
  filename: string;
  job_id: string;
  storage_id: string;
  asset_id: string | null;
  directory_path: string | null;
  keep_source: boolean;
}

export interface TranscodeRecord extends Entity {
  job_id: string;
  asset_id: string;
  version_id: string;
  format_id: string;
  file_set_id: string;
  file_id: string;
  directory_path: string;
  filename: string;
  size: number;
  checksum: string | null;
  priority: number | null;
}

/** A transcoder linked to a storage (reference A.7); the types differ in their other settings. */
export interface Transcoder extends Entity {
  name: string;
  /** FFMPEG, IMAGEMAGICK, EDIT_PROXY, VANTAGE, … */
  type: string;
  settings: {
    /** Runs on the gateway, not in the cloud. */
    local: boolean;
    /** 1–10. */
    priority: number;
    include_patterns: string[];
    exclude_patterns: string[];
  };
}

/** An order to an edge transcoder (reference C.12). Fields not named here are kept. */
export interface EdgeTranscodeRecord extends Entity {
  /** iconik's job; also the id of the order. */
  job_id: string;
}

/** A step of an iconik job (reference C.11). */
export interface JobStep {
  id: string;
  label: string;
  status: string | null;
}

/** One change of a step; `label` is the step's own, which the published call demands. */
export interface JobStepPatch {
  id: string;
  label: string;
  status: 'WAITING' | 'IN_PROGRESS' | 'DONE' | 'FAILED' | 'SKIPPED';
  message?: string;
  error_message?: string;
}

/** Body of a PATCH on an iconik job (reference C.11). */
export interface JobPatch {
  status?: string;
  message?: string;
  error_message?: string;
  progress_processed?: number;
  progress_total?: number;
  started_at?: string;
  completed_at?: string;
}

type Body = Record<string, unknown>;

/** The calls. `assets` … are services of iconik; one file per service implements them. */
export interface IconikApi {
  gateways: {
    get(id: string, limits?: CallLimits): Promise<StorageGateway>;
    /** All gateways of the account. */
    list(limits?: CallLimits): Promise<StorageGateway[]>;
    /** Sent once: a lost answer may leave a gateway behind. */
    create(body: Body, limits?: CallLimits): Promise<StorageGateway>;
    patch(id: string, body: Body, limits?: CallLimits): Promise<void>;
    /** POST telemetry; a snapshot, so repeating it is harmless. */
    postTelemetry(id: string, body: Body, limits?: CallLimits): Promise<void>;
    /** Signed URL to PUT a log file to; `filename` has at most 100 characters. A secret. */
    logUploadUrl(id: string, filename: string, limits?: CallLimits): Promise<string>;
  };
  clusters: {
    get(id: string, limits?: CallLimits): Promise<StorageGatewayCluster>;
    /** All clusters of the account. */
    list(limits?: CallLimits): Promise<StorageGatewayCluster[]>;
    /** Sent once: a lost answer may leave a cluster behind. */
    create(body: Body, limits?: CallLimits): Promise<StorageGatewayCluster>;
    patch(id: string, body: Body, limits?: CallLimits): Promise<void>;
    /** Gateways of the cluster. */
    nodes(id: string, limits?: CallLimits): Promise<StorageGateway[]>;
  };
  storages: {
    get(id: string, limits?: CallLimits): Promise<Storage>;
    /** All storages of the account with this method (FILE, S3, …). */
    list(method: string, limits?: CallLimits): Promise<Storage[]>;
    patch(id: string, body: Body, limits?: CallLimits): Promise<void>;
    /** The cloud storage iconik would use for a purpose (PROXIES, KEYFRAMES, FILES). */
    matching(purpose: string, storageId: string, limits?: CallLimits): Promise<Storage>;
    /** All events after `lastId`, oldest first. */
    events(id: string, lastId: string | null, limits?: CallLimits): Promise<GatewayEvent[]>;
    /** Acknowledges events, in calls of at most 100 ids. */
    purgeEvents(id: string, eventIds: readonly string[], limits?: CallLimits): Promise<void>;
    putReport(id: string, body: Body, limits?: CallLimits): Promise<void>;
    putGatewayStatus(id: string, status: string, limits?: CallLimits): Promise<void>;
    /** Signed URL to PUT a log file of the storage's gateway to; `filename` has at most 100 characters. A secret. */
    logUploadUrl(id: string, filename: string, limits?: CallLimits): Promise<string>;
    /** File records at a path of a storage. Backed by a search index: may lag behind writes. */
    findFiles(id: string, at: { directoryPath: string; name: string }, limits?: CallLimits): Promise<FileRecord[]>;
    /** Changes the record found by storage and path in the body (MISSING, size). */
    patchFileAt(id: string, body: Body, limits?: CallLimits): Promise<void>;
    /** All records of the queue, paged to the end. */
    transfersFrom(id: string, limits?: CallLimits): Promise<TransferFromRecord[]>;
    transfersTo(id: string, limits?: CallLimits): Promise<TransferToRecord[]>;
    deletions(id: string, limits?: CallLimits): Promise<DeletionRecord[]>;
    /** Removes a finished record; one that is gone already counts as removed. */
    endTransfer(
      id: string,
      transfer: { queue: 'transfers_from' | 'transfers_to'; transferId: string; outcome: 'completed' | 'failed' },
      limits?: CallLimits,
    ): Promise<void>;
    endDeletion(id: string, deletionId: string, limits?: CallLimits): Promise<void>;
    /** The transcoders linked to the storage. */
    transcoders(id: string, limits?: CallLimits): Promise<Transcoder[]>;
  };
  assets: {
    create(body: Body, limits?: CallLimits): Promise<Asset>;
    get(id: string, limits?: CallLimits): Promise<Asset>;
    /** Assets, newest first, page by page; the caller stops when it has seen enough. */
    newestFirst(limits?: CallLimits): AsyncIterable<Asset>;
    delete(id: string, limits?: CallLimits): Promise<void>;
    /** Adds a version; the answer lists all of them. Sent once. */
    createVersion(id: string, body: Body, limits?: CallLimits): Promise<{ id: string }[]>;
    /** Adds an entry to the asset's history. Sent once. */
    createHistory(id: string, body: Body, limits?: CallLimits): Promise<HistoryEntry>;
    history(id: string, limits?: CallLimits): Promise<HistoryEntry[]>;
  };
  /** Collections (reference C.15). */
  collections: {
    get(id: string, limits?: CallLimits): Promise<Collection>;
    create(body: Body, limits?: CallLimits): Promise<Collection>;
    /** Collections without a parent. */
    roots(limits?: CallLimits): Promise<Collection[]>;
    /** Collections in a collection that have this external id. */
    childrenWithExternalId(id: string, externalId: string, limits?: CallLimits): Promise<Collection[]>;
    /** Puts an asset into a collection; one that is in it already stays. */
    putAsset(id: string, assetId: string, limits?: CallLimits): Promise<void>;
  };
  metadata: {
    /** Values of an asset's fields in a view; fields without a value may be absent. */
    assetValues(assetId: string, viewId: string, limits?: CallLimits): Promise<MetadataValues>;
    /** Sets fields of an asset in a view; the other fields stay. */
    putAssetValues(assetId: string, viewId: string, values: MetadataValues, limits?: CallLimits): Promise<void>;
  };
  acls: {
    /** Gives an asset the permissions of a template; repeating it changes nothing. */
    postTemplate(templateId: string, assetId: string, limits?: CallLimits): Promise<void>;
    putGroup(groupId: string, assetId: string, permissions: readonly string[], limits?: CallLimits): Promise<void>;
  };
  files: {
    createFormat(assetId: string, body: Body, limits?: CallLimits): Promise<Format>;
    /** null when the asset has no such format. */
    formatByName(assetId: string, name: string, limits?: CallLimits): Promise<Format | null>;
    /** All formats of an asset, of all its versions. */
    formats(assetId: string, limits?: CallLimits): Promise<Format[]>;
    patchFormat(assetId: string, formatId: string, body: Body, limits?: CallLimits): Promise<void>;
    createFileSet(assetId: string, body: Body, limits?: CallLimits): Promise<FileSet>;
    patchFileSet(assetId: string, fileSetId: string, body: Body, limits?: CallLimits): Promise<void>;
    fileSets(assetId: string, formatId: string, limits?: CallLimits): Promise<FileSet[]>;
    /** Removes a copy from iconik, with its bytes unless `keepSource`; one that is gone already counts as removed. */
    deleteFileSet(assetId: string, fileSetId: string, how: { keepSource: boolean }, limits?: CallLimits): Promise<void>;
    createFile(assetId: string, body: Body, limits?: CallLimits): Promise<FileRecord>;
    getFile(assetId: string, fileId: string, limits?: CallLimits): Promise<FileRecord>;
    patchFile(assetId: string, fileId: string, body: Body, limits?: CallLimits): Promise<void>;
    /** All file records of an asset. */
    assetFiles(assetId: string, limits?: CallLimits): Promise<FileRecord[]>;
    /** Records with this MD5; empty when none. */
    byChecksum(md5: string, limits?: CallLimits): Promise<FileRecord[]>;
    /** Files of a file set, each with a signed download URL. */
    fileSetFiles(assetId: string, fileSetId: string, limits?: CallLimits): Promise<FileRecord[]>;
    /** S3: URLs that complete or abort a multipart upload, or list its parts. */
    multipartUrls(
      assetId: string,
      fileId: string,
      /** `temporary`: the record is a temporary file. */
      upload: { uploadId: string; type: 'complete_url' | 'abort_url' | 'list_parts_url'; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<{ complete_url: string | null; abort_url: string | null; list_parts_url: string[] }>;
    /** S3: a signed URL for one part that is bound to its MD5 (base64), for storages with `presign_md5_checksum`. */
    multipartBoundPartUrl(
      assetId: string,
      fileId: string,
      part: { uploadId: string; number: number; md5Base64: string; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<string>;
    /**
     * B2: begins a large file (`uploadFileId` null; never repeated inside), or gives another upload URL for one. An upload URL
     * serves one sender at a time.
     */
    startB2(
      assetId: string,
      fileId: string,
      upload: { uploadFileId: string | null; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<B2UploadPlace>;
    /** B2: puts the parts together, SHA-1s in the order of parts. Sent once: a second time is refused once it has worked. */
    finishB2(
      assetId: string,
      fileId: string,
      upload: { uploadFileId: string; sha1s: readonly string[]; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<void>;
    /** B2: drops a large file that is not finished. */
    cancelB2(assetId: string, fileId: string, uploadFileId: string, limits?: CallLimits): Promise<void>;
    /** GCS: the components 1…partsNum of an upload in parallel parts (all pages). */
    gcsPartUrls(
      assetId: string,
      fileId: string,
      upload: { partsNum: number; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<GcsPart[]>;
    /** GCS: where components become a group, or (null) the object itself. The store expects that very content type. */
    gcsComposeUrl(
      assetId: string,
      fileId: string,
      composition: { group: number | null; contentType: string; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<GcsComposition>;
    /** GCS: has iconik remove the components 1…parts and the groups 1…groups (null: there are none). */
    gcsCleanUp(
      assetId: string,
      fileId: string,
      upload: { parts: number; groups: number | null; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<void>;
    /** S3: signed URLs of parts 1…partsNum (all pages). */
    multipartPartUrls(
      assetId: string,
      fileId: string,
      upload: { uploadId: string; partsNum: number; temporary?: boolean },
      limits?: CallLimits,
    ): Promise<{ number: number; url: string }[]>;
  };
  proxies: {
    /** As of files. */
    multipartUrls: IconikApi['files']['multipartUrls'];
    /** As of files. */
    multipartPartUrls: IconikApi['files']['multipartPartUrls'];
    create(assetId: string, body: Body, limits?: CallLimits): Promise<Proxy>;
    get(assetId: string, proxyId: string, limits?: CallLimits): Promise<Proxy>;
    patch(assetId: string, proxyId: string, body: Body, limits?: CallLimits): Promise<void>;
    list(assetId: string, limits?: CallLimits): Promise<Proxy[]>;
    /** Signed URL of its bytes. A secret. */
    downloadUrl(assetId: string, proxyId: string, limits?: CallLimits): Promise<string>;
  };
  keyframes: {
    create(assetId: string, body: Body, limits?: CallLimits): Promise<Keyframe>;
    get(assetId: string, keyframeId: string, limits?: CallLimits): Promise<Keyframe>;
    patch(assetId: string, keyframeId: string, body: Body, limits?: CallLimits): Promise<void>;
    list(assetId: string, limits?: CallLimits): Promise<Keyframe[]>;
  };
  jobs: {
    /** A job that is gone already counts as patched. */
    patch(jobId: string, body: JobPatch, limits?: CallLimits): Promise<void>;
    /** Steps of a job; empty for a job that is gone. */
    steps(jobId: string, limits?: CallLimits): Promise<JobStep[]>;
    /** Changes steps; those of a job that is gone already count as changed. */
    patchSteps(jobId: string, steps: readonly JobStepPatch[], limits?: CallLimits): Promise<void>;
    /** Gives jobs a priority (1–10), in calls of at most 500 jobs. */
    putPriority(jobIds: readonly string[], priority: number, limits?: CallLimits): Promise<void>;
  };
  transcode: {
    queue(storageId: string, limits?: CallLimits): Promise<TranscodeRecord[]>;
    endRecord(storageId: string, recordId: string, limits?: CallLimits): Promise<void>;
    /** Orders to the edge transcoder of a storage that nobody has acknowledged; at most a few hundred at a time. */
    edgeJobs(storageId: string, limits?: CallLimits): Promise<EdgeTranscodeRecord[]>;
    /** Takes an order over; one that is gone already counts as acknowledged. */
    acknowledgeEdgeJob(jobId: string, limits?: CallLimits): Promise<void>;
  };
  /** Transfers from gateway to gateway (reference A.8, C.13). */
  transfers: {
    /** A record of the queue transfers_to of a storage; null when it is not there. */
    transferTo(storageId: string, transferId: string, limits?: CallLimits): Promise<TransferToRecord | null>;
    /** Signed link to what a transfer names, at the gateway that holds it. A secret. */
    signedUrl(transferId: string, limits?: CallLimits): Promise<string>;
    /** Whether iconik made this signature for the transfer; throws when that cannot be known now. */
    isSignatureGood(
      transferId: string,
      signed: { userId: string; signature: string },
      limits?: CallLimits,
    ): Promise<boolean>;
    /** Sent once. */
    createTemporaryFileSet(assetId: string, body: Body, limits?: CallLimits): Promise<FileSet>;
    /** Sent once. */
    createTemporaryFile(assetId: string, body: Body, limits?: CallLimits): Promise<FileRecord>;
    patchTemporaryFile(assetId: string, fileId: string, body: Body, limits?: CallLimits): Promise<void>;
    /** Files of a temporary file set, each with a signed download URL. */
    temporaryFiles(assetId: string, fileSetId: string, limits?: CallLimits): Promise<FileRecord[]>;
    /** All temporary files of a storage. */
    temporaryFilesOn(storageId: string, limits?: CallLimits): Promise<FileRecord[]>;
    /** Removes a temporary file set with its objects in the cloud; one that is gone already counts as removed. */
    deleteTemporaryFileSet(assetId: string, fileSetId: string, limits?: CallLimits): Promise<void>;
    /** Queues the transfer of a temporary file set to the storage of a gateway. Sent once. */
    createExport(at: { fileSetId: string; storageId: string }, body: Body, limits?: CallLimits): Promise<void>;
  };
  users: {
    /** Id of the user behind the token. */
    currentId(limits?: CallLimits): Promise<string>;
  };
}
