import { fileSettings } from './file-settings.ts';
import type { JsonSchema } from './published-api.ts';

/**
 * The one list of what reference.md names beyond the published file: newer properties, values and parameters. Everything
 * else that is not in api.json is a violation. `section` says where the reference has it.
 */
type Addition = { section: string } & (
  | { kind: 'property'; schemas: readonly string[]; property: string; schema: JsonSchema }
  | { kind: 'values'; schemas: readonly string[]; property: string; values: readonly string[] }
  | { kind: 'query'; operation: string; parameter: string; schema: JsonSchema }
  | { kind: 'query-optional'; operation: string; parameter: string }
  | { kind: 'body'; operation: string; schema: JsonSchema }
  | { kind: 'definition'; name: string; schema: JsonSchema }
);

const text: JsonSchema = { type: 'string' };
const flag: JsonSchema = { type: 'boolean' };
const number: JsonSchema = { type: 'integer' };
const engine: JsonSchema = { type: 'string', enum: ['JINJA2', 'SIMPLE'] };

const FILES = [
  'FileCreateSchema',
  'FileSchema',
  'FilePatchSchema',
  'FileBaseSchema',
  'FileBasePatchSchema',
  'FileElasticSchema',
  'TemporaryFileCreateSchema',
];
const FILE_SETS = ['FileSetSchema', 'FileSetPatchSchema', 'FileSetSourceSchema', 'TemporaryFileSetSchema'];
const PROXIES = ['Proxy', 'ProxySchema', 'ProxyCreateSchema', 'ProxyUpdateSchema', 'ProxyUpdatePatchSchema'];
const KEYFRAMES = ['KeyframeSchema', 'KeyframeCreateSchema', 'KeyframePatchSchema'];
const JOBS = ['JobSchema', 'JobPatchSchema', 'JobElasticSchema'];
const TRANSCODERS = [
  'TranscoderSchema',
  'TranscoderPatchSchema',
  'TranscoderReadSchema',
  'TranscoderByStorageReadSchema',
];
const ASSETS = ['AssetCreateSchema', 'AssetSchema', 'AssetPatchSchema', 'AssetElasticSchema'];
const NEW_JOB_TYPES = ['DELETE_JOBS', 'EDIT_JOBS', 'METADATA_FILLING', 'PUBLISH'];

/** See `Addition`. */
export const beyond: readonly Addition[] = [
  { section: 'A2.2', kind: 'definition', name: 'FileSettingsSchema', schema: fileSettings },
  { section: 'A2.2', kind: 'values', schemas: TRANSCODERS, property: 'type', values: ['LIBREOFFICE'] },
  {
    section: 'A2.1',
    kind: 'values',
    schemas: ['GatewayReportSchema'],
    property: 'status',
    values: ['ERROR', 'STOPPED', 'WARNING'],
  },
  { section: 'C.8', kind: 'values', schemas: ['ComponentSchema'], property: 'type', values: ['MANIFEST'] },
  { section: 'A2.3', kind: 'values', schemas: FILES, property: 'type', values: ['SEQUENCE'] },
  { section: 'A2.3', kind: 'property', schemas: FILES, property: 'template', schema: text },
  { section: 'A2.3', kind: 'property', schemas: FILES, property: 'template_engine', schema: engine },
  {
    section: 'A2.3',
    kind: 'property',
    schemas: ['FileCreateSchema', 'TemporaryFileCreateSchema'],
    property: 'content_type',
    schema: text,
  },
  {
    section: 'A2.3',
    kind: 'property',
    schemas: FILE_SETS,
    property: 'type',
    schema: { type: 'string', enum: ['MANY_FILES', 'REGULAR'] },
  },
  {
    section: 'A2.3',
    kind: 'property',
    schemas: ['FormatSchema', 'FormatPatchSchema'],
    property: 'external_references',
    schema: { type: 'array' },
  },
  { section: 'A2.3', kind: 'property', schemas: ['FileExistenceCheckSchema'], property: 'file_type', schema: text },
  { section: 'A2.3', kind: 'property', schemas: ['FileExistenceCheckSchema'], property: 'template', schema: text },
  {
    section: 'A2.3',
    kind: 'property',
    schemas: ['FileExistenceCheckSchema'],
    property: 'template_engine',
    schema: text,
  },
  { section: 'A2.3', kind: 'property', schemas: PROXIES, property: 'audio_channels', schema: number },
  { section: 'A2.3', kind: 'property', schemas: PROXIES, property: 'is_multichannel', schema: flag },
  {
    section: 'A2.3',
    kind: 'property',
    schemas: ['ProxySchema', 'ProxyCreateSchema'],
    property: 'content_type',
    schema: text,
  },
  {
    section: 'A2.3',
    kind: 'property',
    schemas: ['ProxySchema', 'ProxyCreateSchema'],
    property: 'proxy_container_id',
    schema: { type: 'string', format: 'uuid' },
  },
  { section: 'A2.3', kind: 'property', schemas: KEYFRAMES, property: 'content_type', schema: text },
  {
    section: 'A2.4',
    kind: 'property',
    schemas: ['FileDeletionFromLocalStorageSchema'],
    property: 'file_type',
    schema: text,
  },
  {
    section: 'A2.4',
    kind: 'property',
    schemas: ['FileDeletionFromLocalStorageSchema'],
    property: 'template',
    schema: text,
  },
  {
    section: 'A2.4',
    kind: 'property',
    schemas: ['FileDeletionFromLocalStorageSchema'],
    property: 'template_engine',
    schema: text,
  },
  { section: 'A2.5', kind: 'values', schemas: JOBS, property: 'status', values: ['DISCARDED', 'PENDING_USER'] },
  { section: 'A2.5', kind: 'values', schemas: JOBS, property: 'type', values: NEW_JOB_TYPES },
  {
    section: 'A2.6',
    kind: 'property',
    schemas: ['LocalStorageFileTranscodeJobSchema'],
    property: 'metadata_update_only',
    schema: flag,
  },
  { section: 'A2.7', kind: 'values', schemas: ASSETS, property: 'type', values: ['POST'] },
  {
    section: 'A2.7',
    kind: 'property',
    schemas: ASSETS,
    property: 'limit_download_to_groups',
    schema: { type: 'array', items: { type: 'string', format: 'uuid' } },
  },
  {
    section: 'A1.12',
    kind: 'query',
    operation: 'POST /API/assets/v1/assets/',
    parameter: 'apply_acl_template_id',
    schema: text,
  },
  { section: 'A1.12', kind: 'query', operation: 'GET /API/assets/v1/assets/', parameter: 'favoured_by', schema: text },
  { section: 'A1.12', kind: 'query', operation: 'GET /API/assets/v1/assets/', parameter: 'types', schema: text },
  {
    section: 'A1.4',
    kind: 'query',
    operation: 'GET /API/files/v1/assets/{asset_id}/files/{file_id}/',
    parameter: 'content_type',
    schema: text,
  },
  {
    section: 'A1.4',
    kind: 'query',
    operation: 'PATCH /API/files/v1/assets/{asset_id}/formats/{format_id}/',
    parameter: 'sync_components',
    schema: flag,
  },
  {
    section: 'A1.4',
    kind: 'query',
    operation: 'PUT /API/files/v1/assets/{asset_id}/formats/{format_id}/',
    parameter: 'sync_components',
    schema: flag,
  },
  {
    section: 'A1.5',
    kind: 'query',
    operation: 'GET /API/files/v1/assets/{asset_id}/proxies/{proxy_id}/',
    parameter: 'content_type',
    schema: text,
  },
  {
    section: 'A1.5',
    kind: 'query',
    operation: 'GET /API/files/v1/assets/{asset_id}/keyframes/{keyframe_id}/',
    parameter: 'content_type',
    schema: text,
  },
  {
    section: 'A1.10',
    kind: 'query',
    operation: 'DELETE /API/jobs/v1/jobs/{job_id}/',
    parameter: 'recursive',
    schema: flag,
  },
  {
    section: 'C.5',
    kind: 'query-optional',
    operation: 'POST /API/files/v1/storages/{storage_id}/logs/',
    parameter: 'filename',
  },
  {
    section: 'C.5',
    kind: 'body',
    operation: 'POST /API/files/v1/storages/{storage_id}/logs/',
    schema: { $ref: '#/definitions/UploadIconikStorageGatewayLogsSchema' },
  },
];
