import { type BandwidthSettings, readBandwidthSettings } from './config/live-bandwidth.ts';
import type { NodeConfig } from './config/load-config.ts';
import { bandwidthAt, localMoment } from './contract/index.ts';
import type { Clock } from './runtime/clock.ts';
import { type Bandwidth, createBandwidth } from './storage/bandwidth/bandwidth.ts';

const BYTES_PER_MEGABIT = 1_000_000 / 8;
const READ_EVERY_MS = 5_000;

/**
 * The budget of a node's transfers as config.ini says it, by the local clock of this machine. The file is read anew every
 * 5 s while storages are in use, so that a limit can be changed in the middle of a long transfer, without a restart.
 */
export function nodeBandwidth(
  config: Pick<NodeConfig, 'configPath'> & BandwidthSettings,
  { clock, readEveryMs = READ_EVERY_MS }: { clock: Clock; readEveryMs?: number },
): Bandwidth {
  let settings: BandwidthSettings = config;
  let readAtMs = clock.monotonicMs();
  let isReading = false;
  const readAnew = (configPath: string) => {
    if (isReading || clock.monotonicMs() - readAtMs < readEveryMs) return;
    isReading = true;
    readAtMs = clock.monotonicMs();
    void readBandwidthSettings(configPath).then((read) => {
      settings = read ?? settings;
      isReading = false;
    });
  };
  return createBandwidth({
    clock,
    limitAt(wallMs) {
      if (config.configPath !== undefined) readAnew(config.configPath);
      const otherwise = settings.transferMegabitsPerSecond ?? null;
      const megabits = bandwidthAt(settings.transferSchedule, otherwise, localMoment(wallMs));
      return megabits === null ? null : megabits * BYTES_PER_MEGABIT;
    },
  });
}
