import type { FileStorageSettings } from '../../../iconik/api.ts';
import { compilePatterns } from '../../../storage/ignore-patterns.ts';

/** A pattern of a storage's settings that does not compile and is left out. */
export interface BadPattern {
  setting: string;
  pattern: string;
  reason: string;
}

const LISTS = [
  'scan_ignore',
  'scan_include',
  'transcode_ignore',
  'transcode_include',
  'upload_ignore',
  'aggregate_ignore',
  'auto_version_ignore',
  'directory_assets_original_patterns',
  'directory_assets_transcode_patterns',
] as const satisfies readonly (keyof FileStorageSettings)[];

/** All patterns of a storage's settings that do not compile, with the setting that holds them. Pure. */
export function badPatterns(settings: FileStorageSettings): BadPattern[] {
  const lists: [string, readonly string[]][] = LISTS.map((setting) => [setting, settings[setting] ?? []]);
  lists.push(['prio_patterns', (settings.prio_patterns ?? []).map(({ pattern }) => pattern)]);
  return lists.flatMap(([setting, patterns]) =>
    compilePatterns(patterns).invalid.map(({ pattern, reason }) => ({ setting, pattern, reason })),
  );
}
