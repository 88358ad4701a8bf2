import type { JsonSchema } from './published-api.ts';

const text: JsonSchema = { type: ['string', 'null'] };
const id: JsonSchema = { type: ['string', 'null'], format: 'uuid' };
const flag: JsonSchema = { type: ['boolean', 'null'] };
const whole: JsonSchema = { type: ['integer', 'null'] };
const texts: JsonSchema = { type: ['array', 'null'], items: { type: 'string' } };
const priorities = (by: string): JsonSchema => ({
  type: ['array', 'null'],
  items: { type: 'object', properties: { [by]: { type: 'string' }, priority: { type: 'integer' } } },
});
const all = (schema: JsonSchema, names: string): Record<string, JsonSchema> =>
  Object.fromEntries(names.split(' ').map((name) => [name, schema]));

/** Settings of a storage with method FILE (reference A2.2, FileSettingsSchema); the published file leaves them open. */
export const fileSettings: JsonSchema = {
  type: 'object',
  required: ['mount_point'],
  properties: {
    mount_point: { type: 'string' },
    gateway_user_id: { type: 'string', format: 'uuid', readOnly: true },
    auto_version_ingest_throttle_value: { type: ['integer', 'null'], minimum: 0 },
    prio_dirs: priorities('directory'),
    prio_patterns: priorities('pattern'),
    ...all(id, 'access_group_id acl_template_id folder_name_tags_metadata_view_id metadata_view_id remote_storage_id'),
    ...all(whole, 'growing_files_threshold scan_interval_seconds'),
    ...all(text, 'asset_versions_suffix folder_name_tags_metadata_field_name metadata_conversion_url'),
    ...all(text, 'metadata_conversion_url_headers public_identity remote_path storage_addr'),
    ...all(texts, 'aggregate_ignore auto_version_ignore directory_assets_original_patterns'),
    ...all(texts, 'directory_assets_transcode_patterns scan_directories scan_ignore scan_include'),
    ...all(texts, 'transcode_ignore transcode_include upload_ignore'),
    ...all(flag, 'aggregate_identical_files aggregate_only_on_same_storage allow_access_outside_scan_directories'),
    ...all(flag, 'delete enable_auto_versioning enable_collection_directory_mapping enable_directory_assets'),
    ...all(flag, 'filename_is_external_id is_system local_keyframe_creation local_proxy_creation read scan'),
    ...all(flag, 'sidecar_metadata_required skip_upload_on_any_remote_copy_found title_includes_extension'),
    ...all(flag, 'upload_files write'),
  },
};
