import type { NodeConfig } from './config/load-config.ts';
import { bandwidthAt, localMoment } from './contract/index.ts';
import type { Clock } from './runtime/clock.ts';
import { type Bandwidth, createBandwidth } from './storage/bandwidth/bandwidth.ts';

const BYTES_PER_MEGABIT = 1_000_000 / 8;

/** The budget of a node's transfers as config.ini says it, by the local clock of this machine. */
export function nodeBandwidth(
  config: Pick<NodeConfig, 'transferMegabitsPerSecond' | 'transferSchedule'>,
  clock: Clock,
): Bandwidth {
  const otherwise = config.transferMegabitsPerSecond ?? null;
  return createBandwidth({
    clock,
    limitAt(wallMs) {
      const megabits = bandwidthAt(config.transferSchedule, otherwise, localMoment(wallMs));
      return megabits === null ? null : megabits * BYTES_PER_MEGABIT;
    },
  });
}
