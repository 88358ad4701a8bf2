import { z } from 'zod';
import { ROLES, type Role } from '../contract/index.ts';
import type {
  Asset,
  Collection,
  DeletionRecord,
  EdgeTranscodeRecord,
  FileRecord,
  FileSet,
  FileStorageSettings,
  Format,
  GatewayEvent,
  HistoryEntry,
  Keyframe,
  Proxy as ProxyRecord,
  Storage,
  StorageGateway,
  StorageGatewayCluster,
  TranscodeRecord,
  Transcoder,
  TransferFromRecord,
  TransferToRecord,
} from './api.ts';

/**
 * Parsers of iconik's answers, tolerant on purpose: unknown fields are kept, unknown enum values stay text, missing or
 * oddly typed optional fields become null (or the published default). Only what makes a record useless is an error.
 */

const id = z.union([z.string().min(1), z.number().transform(String)]);

const text = z
  .string()
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);

const textOrEmpty = text.transform((value) => value ?? '');

const number = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^-?\d+(\.\d+)?$/)
      .transform(Number),
  ])
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);

const flag = (fallback: boolean) =>
  z
    .boolean()
    .nullish()
    .catch(null)
    .transform((value) => value ?? fallback);

const list = <T>(item: z.ZodType<T>) =>
  z
    .array(item)
    .nullish()
    .catch(null)
    .transform((value) => value ?? []);

const texts = list(z.string());

const object = z
  .record(z.string(), z.unknown())
  .nullish()
  .catch(null)
  .transform((value) => value ?? null);

const objectOrEmpty = object.transform((value) => value ?? {});

function isRole(value: unknown): value is Role {
  return ROLES.some((role) => role === value);
}

/** Roles this version knows; a role it does not know is one it cannot play. */
const roles = list(z.unknown()).transform((values) => values.filter(isRole));

const numberSettings = objectOrEmpty.transform((settings) => {
  const parsed: Record<string, number | null> = {};
  for (const [name, value] of Object.entries(settings)) parsed[name] = number.parse(value);
  return parsed;
});

const mountPoints = objectOrEmpty.transform((storages) => {
  const parsed: Record<string, { mount_point: string }> = {};
  for (const [storageId, value] of Object.entries(storages)) {
    const mount = z.looseObject({ mount_point: z.string() }).safeParse(value);
    if (mount.success) parsed[storageId] = mount.data;
  }
  return parsed;
});

/** A gateway (reference C.7). */
export const gatewaySchema: z.ZodType<StorageGateway> = z.looseObject({
  id,
  name: textOrEmpty,
  enabled: flag(false),
  cluster_id: text,
  roles,
  storages: mountPoints,
  settings: numberSettings,
  date_modified: text,
});

/** Default of iconik's schema, seconds. */
const VISIBILITY_TIMEOUT = 3600;

/** A cluster (reference C.7). */
export const clusterSchema: z.ZodType<StorageGatewayCluster> = z.looseObject({
  id,
  name: textOrEmpty,
  enabled: flag(false),
  db_connection_uri: textOrEmpty,
  storage_ids: texts,
  visibility_timeout: number.transform((value) => value ?? VISIBILITY_TIMEOUT),
  settings: numberSettings,
  leader_id: text,
  date_modified: text,
});

const settingText = z.string().optional().catch(undefined);
const settingTexts = z.array(z.string()).optional().catch(undefined);
/** One item of a wrong shape costs only itself. */
const settingList = <T>(item: z.ZodType<T>) =>
  z
    .array(z.unknown())
    .optional()
    .catch(undefined)
    .transform((items) => items?.flatMap((value) => item.safeParse(value).data ?? []));
const settingNumber = number.transform((value) => value ?? undefined);
const settingFlag = z
  .union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')])
  .optional()
  .catch(undefined);

/** Settings of a FILE storage (reference A.5); a value of a wrong type counts as absent. */
const fileStorageSettingsSchema: z.ZodType<FileStorageSettings> = z.looseObject({
  mount_point: settingText,
  scan: settingFlag,
  scan_directories: settingTexts,
  scan_interval_seconds: settingNumber,
  growing_files_threshold: settingNumber,
  scan_ignore: settingTexts,
  scan_include: settingTexts,
  transcode_ignore: settingTexts,
  transcode_include: settingTexts,
  upload_files: settingFlag,
  upload_ignore: settingTexts,
  remote_storage_id: settingText,
  remote_path: settingText,
  local_proxy_creation: settingFlag,
  local_keyframe_creation: settingFlag,
  title_includes_extension: settingFlag,
  filename_is_external_id: settingFlag,
  aggregate_identical_files: settingFlag,
  aggregate_only_on_same_storage: settingFlag,
  aggregate_ignore: settingTexts,
  skip_upload_on_any_remote_copy_found: settingFlag,
  enable_collection_directory_mapping: settingFlag,
  sidecar_metadata_required: settingFlag,
  metadata_view_id: settingText,
  metadata_conversion_url: settingText,
  metadata_conversion_url_headers: settingText,
  folder_name_tags_metadata_field_name: settingText,
  folder_name_tags_metadata_view_id: settingText,
  acl_template_id: settingText,
  access_group_id: settingText,
  enable_auto_versioning: settingFlag,
  asset_versions_suffix: settingText,
  auto_version_ignore: settingTexts,
  auto_version_ingest_throttle_value: settingNumber,
  enable_directory_assets: settingFlag,
  directory_assets_original_patterns: settingTexts,
  directory_assets_transcode_patterns: settingTexts,
  allow_access_outside_scan_directories: settingFlag,
  prio_dirs: settingList(z.object({ directory: z.string(), priority: z.number() })),
  prio_patterns: settingList(z.object({ pattern: z.string(), priority: z.number() })),
  read: settingFlag,
  write: settingFlag,
  delete: settingFlag,
});

/** A storage (reference C.3). */
export const storageSchema: z.ZodType<Storage> = z.looseObject({
  id,
  name: textOrEmpty,
  method: textOrEmpty,
  purpose: textOrEmpty,
  status: text,
  settings: objectOrEmpty.transform((settings) => fileStorageSettingsSchema.parse(settings)),
  date_modified: text,
});

/** A gateway event (reference C.4). */
export const eventSchema: z.ZodType<GatewayEvent & { date_created: string | null }> = z.looseObject({
  id,
  type: textOrEmpty,
  data: objectOrEmpty,
  date_created: text,
});

/** An asset, from the assets service or its search index. */
export const assetSchema: z.ZodType<Asset> = z.looseObject({
  id,
  title: textOrEmpty,
  status: text,
  date_created: text,
  created_by_user: text,
  versions: list(z.looseObject({ id, date_created: text, created_by_user: text, status: text })),
  in_collections: texts,
  files: list(z.unknown()),
});

/** A collection (reference C.15). */
export const collectionSchema: z.ZodType<Collection> = z.looseObject({
  id,
  title: textOrEmpty,
  external_id: text,
  parent_id: text,
  status: text,
});

/** The versions of an asset, as the answer to a new one. */
export const versionsSchema: z.ZodType<{ versions: { id: string }[] }> = z.looseObject({
  versions: list(z.looseObject({ id })),
});

/** An entry of an asset's history. */
export const historySchema: z.ZodType<HistoryEntry> = z.looseObject({
  id,
  operation_type: textOrEmpty,
  operation_description: text,
});

/** A format. */
export const formatSchema: z.ZodType<Format & { status: string | null }> = z.looseObject({
  id,
  name: textOrEmpty,
  asset_id: text,
  version_id: text,
  status: text,
  components: list(z.looseObject({ id: z.string().optional().catch(undefined), name: textOrEmpty, type: textOrEmpty })),
});

/** A file set. */
export const fileSetSchema: z.ZodType<FileSet> = z.looseObject({
  id,
  name: textOrEmpty,
  base_dir: textOrEmpty,
  storage_id: text,
  format_id: text,
  asset_id: text,
  version_id: text,
});

const uploadTarget = {
  storage_method: text,
  upload_method: text,
  upload_url: text,
  multipart_upload_url: text,
  upload_credentials: object,
  upload_filename: text,
};

/** A file record, from its own service or the search index. */
export const fileSchema: z.ZodType<FileRecord> = z.looseObject({
  id,
  ...uploadTarget,
  name: text,
  original_name: text,
  directory_path: textOrEmpty,
  size: number,
  checksum: text,
  status: text,
  type: text,
  storage_id: text,
  asset_id: text,
  version_id: text,
  format_id: text,
  file_set_id: text,
  url: text,
});

/** A proxy. */
export const proxySchema: z.ZodType<ProxyRecord> = z.looseObject({
  id,
  url: text,
  ...uploadTarget,
  filename: text,
  name: text,
  status: text,
  storage_id: text,
  version_id: text,
  size: number,
});

/** A keyframe. */
export const keyframeSchema: z.ZodType<Keyframe> = z.looseObject({
  id,
  ...uploadTarget,
  filename: text,
  name: text,
  type: text,
  status: text,
  version_id: text,
  size: number,
  url: text,
});

/** A record of the queue transfers_from (reference C.13). */
export const transferFromSchema: z.ZodType<TransferFromRecord> = z.looseObject({
  id,
  job_id: text,
  asset_id: text,
  format_id: text,
  original_file_set_id: text,
  original_storage_id: text,
  destination_storage_id: text,
  destination_storage_method: text,
  destination_directory_path: text,
  destination_file_set_name: text,
  destination_filename: text,
});

/** A record of the queue transfers_to (reference C.13). */
export const transferToSchema: z.ZodType<TransferToRecord> = z.looseObject({
  id,
  job_id: text,
  asset_id: text,
  format_id: text,
  file_set_id: text,
  original_storage_id: text,
  local_storage_id: text,
  original_url: text,
  temporary_file_set_source: flag(false),
  destination_directory_path: textOrEmpty,
  destination_file_set_name: textOrEmpty,
  destination_base_directory: text,
  destination_filename: text,
});

/** A record of the deletion queue (reference C.14). Without `keep_source` the file is to be removed. */
export const deletionSchema: z.ZodType<DeletionRecord> = z.looseObject({
  id,
  file_id: id,
  filename: z.string(),
  job_id: textOrEmpty,
  storage_id: id,
  asset_id: text,
  directory_path: text,
  // Only an absent value means "remove": an odd one must not delete anything.
  keep_source: z
    .boolean()
    .nullish()
    .catch(true)
    .transform((value) => value ?? false),
});

/** A record of the transcode queue (reference C.12). */
export const transcodeSchema: z.ZodType<TranscodeRecord> = z.looseObject({
  id,
  job_id: textOrEmpty,
  asset_id: id,
  version_id: textOrEmpty,
  format_id: textOrEmpty,
  file_set_id: textOrEmpty,
  file_id: id,
  directory_path: textOrEmpty,
  filename: z.string(),
  size: number.transform((value) => value ?? 0),
  checksum: text,
  priority: number,
});

/** A transcoder of a storage (reference A.7). One that does not say it is local is not ours. */
export const transcoderSchema: z.ZodType<Transcoder> = z.looseObject({
  id,
  name: textOrEmpty,
  type: textOrEmpty,
  settings: z
    .looseObject({
      local: flag(false),
      priority: number.transform((value) => value ?? 5),
      include_patterns: texts,
      exclude_patterns: texts,
    })
    .catch({ local: false, priority: 5, include_patterns: [], exclude_patterns: [] }),
});

/** S3: URLs that end a multipart upload. */
export const multipartUrlsSchema = z.looseObject({
  complete_url: text,
  abort_url: text,
  list_parts_url: z.union([texts, z.string().transform((url) => [url])]).catch([]),
});

/** S3: signed URLs of parts. */
export const partUrlsSchema = z.looseObject({ objects: list(z.looseObject({ number: z.number(), url: z.string() })) });

/** GCS: signed URLs of the components of an object, which become parts of it by their `key`. */
export const gcsPartUrlsSchema = z.looseObject({
  objects: list(
    z.looseObject({
      number: z.number(),
      url: z.string(),
      key: z.string().min(1),
      delete_url: text,
      download_url: text,
    }),
  ),
});

/** GCS: where components are put together. */
export const gcsComposeUrlSchema = z.looseObject({
  compose_url: z.string().min(1),
  key: z.string().min(1),
  delete_url: text,
});

/** S3: part URLs bound to MD5s. */
export const boundPartUrlsSchema = z.looseObject({
  parts: list(z.looseObject({ part_number: z.number(), url: z.string() })),
});

/** B2: a large file, and an upload URL for its parts. What B2 refused stands in `error`. */
export const b2StartSchema = z.looseObject({
  upload_file_id: text,
  upload_url: text,
  authorization_token: text,
  error: text,
  error_code: text,
});

/** The user behind the token. */
export const userSchema = z.looseObject({ id });

/** A job with its steps; a step without an id cannot be named. */
export const jobSchema = z.looseObject({
  id,
  steps: list(z.unknown()).transform((steps) =>
    steps.flatMap((step) => {
      const parsed = z.looseObject({ id: z.string().min(1), label: textOrEmpty, status: text }).safeParse(step);
      return parsed.success ? [{ id: parsed.data.id, label: parsed.data.label, status: parsed.data.status }] : [];
    }),
  ),
});

/** Orders to an edge transcoder. One without a job id can neither be acknowledged nor told apart: it is left out. */
export const edgeJobsSchema = z.looseObject({
  objects: list(z.unknown()).transform((orders) =>
    orders.flatMap((order): EdgeTranscodeRecord[] => {
      const parsed = z.looseObject({ job_id: id }).safeParse(order);
      return parsed.success ? [{ ...parsed.data, id: parsed.data.job_id }] : [];
    }),
  ),
});

/** Where a log file is to be sent. */
export const logTargetSchema = z.looseObject({ upload_url: z.string().min(1) });
