import type { NodeConfig } from './config/load-config.ts';
import { bandwidthAt, localMoment } from './contract/index.ts';
import type { Clock } from './runtime/clock.ts';
import { type Bandwidth, createBandwidth } from './storage/bandwidth/bandwidth.ts';

const BYTES_PER_MEGABIT = 1_000_000 / 8;

/**
 * The budget of a node's transfers as config.ini says it, by the local clock of this machine. The configuration is asked at
 * each look: a limit that is changed in the middle of a long transfer counts for the rest of it.
 */
export function nodeBandwidth(
  config: Readonly<Pick<NodeConfig, 'transferMegabitsPerSecond' | 'transferSchedule'>>,
  { clock }: { clock: Clock },
): Bandwidth {
  return createBandwidth({
    clock,
    limitAt(wallMs) {
      const otherwise = config.transferMegabitsPerSecond ?? null;
      const megabits = bandwidthAt(config.transferSchedule, otherwise, localMoment(wallMs));
      return megabits === null ? null : megabits * BYTES_PER_MEGABIT;
    },
  });
}
