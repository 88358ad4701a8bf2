import type { FileStorageSettings } from '../iconik/api.ts';

/** Where sidecars are converted: both may hold a token. */
type Secret = 'metadata_conversion_url' | 'metadata_conversion_url_headers';

/** Settings whose text may be shown: none of them holds a token or a signed address. */
const SHOWN: Readonly<Record<Exclude<keyof FileStorageSettings, Secret>, true>> = {
  mount_point: true,
  scan: true,
  scan_directories: true,
  scan_interval_seconds: true,
  growing_files_threshold: true,
  scan_ignore: true,
  scan_include: true,
  transcode_ignore: true,
  transcode_include: true,
  upload_files: true,
  upload_ignore: true,
  remote_storage_id: true,
  remote_path: true,
  local_proxy_creation: true,
  local_keyframe_creation: true,
  title_includes_extension: true,
  filename_is_external_id: true,
  aggregate_identical_files: true,
  aggregate_only_on_same_storage: true,
  aggregate_ignore: true,
  allow_access_outside_scan_directories: true,
  prio_dirs: true,
  prio_patterns: true,
  read: true,
  write: true,
  skip_upload_on_any_remote_copy_found: true,
  enable_collection_directory_mapping: true,
  sidecar_metadata_required: true,
  metadata_view_id: true,
  folder_name_tags_metadata_field_name: true,
  folder_name_tags_metadata_view_id: true,
  acl_template_id: true,
  access_group_id: true,
  enable_auto_versioning: true,
  asset_versions_suffix: true,
  auto_version_ignore: true,
  auto_version_ingest_throttle_value: true,
  enable_directory_assets: true,
  directory_assets_original_patterns: true,
  directory_assets_transcode_patterns: true,
  delete: true,
};

/** One item of a list: text, or what stands for a place and its number. */
function itemWords(item: unknown): string {
  return typeof item === 'object' && item !== null ? Object.values(item).map(String).join(': ') : String(item);
}

/**
 * A storage's settings as text for people. Of settings that this version does not know only numbers and switches are shown:
 * a text may be a secret (the headers of a metadata converter hold a token).
 */
export function settingsWords(settings: FileStorageSettings): Record<string, string> {
  const words: Record<string, string> = {};
  for (const [name, value] of Object.entries(settings)) {
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    if (!isPlain && !Object.hasOwn(SHOWN, name)) continue;
    if (isPlain || typeof value === 'string') words[name] = String(value);
    else if (Array.isArray(value)) words[name] = value.map(itemWords).join(', ');
  }
  return words;
}
