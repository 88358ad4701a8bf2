import { readFile } from 'node:fs/promises';
import { type BandwidthRule, CONFIG_KEYS, collectSettings, parseConfigFile } from '../contract/index.ts';

/** What limits the transfers of this node; the same names as in `NodeConfig`. */
export interface BandwidthSettings {
  transferMegabitsPerSecond: number | undefined;
  transferSchedule: readonly BandwidthRule[];
}

/** The settings as a config.ini says them; null when it, or one of them, is wrong. Pure. */
export function bandwidthSettingsOf(text: string): BandwidthSettings | null {
  const file = parseConfigFile(text);
  if (file.problems.length > 0) return null;
  const { said } = collectSettings(file);
  const textOf = (key: keyof typeof CONFIG_KEYS) => said.get(key)?.text;
  const max = CONFIG_KEYS['transfer-max-megabits-per-second'].safeParse(textOf('transfer-max-megabits-per-second'));
  const schedule = CONFIG_KEYS['transfer-bandwidth-schedule'].safeParse(textOf('transfer-bandwidth-schedule'));
  if (!max.success || !schedule.success) return null;
  return { transferMegabitsPerSecond: max.data, transferSchedule: schedule.data ?? [] };
}

/** Reads the settings anew; null when that is not possible now, and what was read before goes on holding. Never rejects. */
export async function readBandwidthSettings(configPath: string): Promise<BandwidthSettings | null> {
  try {
    return bandwidthSettingsOf(await readFile(configPath, 'utf8'));
  } catch {
    // Ignored because a file that is just being replaced is there a moment later.
    return null;
  }
}
