import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Half of the young generation; by itself V8 lets it grow to 16 or 32 MiB, which a process never gives back under load. */
const SEMI_SPACE_BYTES = 4 << 20;
/** How far the old generation may grow beyond what lived after the last collection. */
const OLD_GROWTH_PERCENT = 30;

const semiSpaceBytes = (): number =>
  (getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0) / 2;

/**
 * Keeps this process's JavaScript heap small at the price of more frequent collections. By flags set while it runs, because
 * Electron's utility process takes none when it starts. Nothing here is promised by V8: where a flag is unknown or too late,
 * the heap is as large as it would have been.
 */
export function keepHeapLean(): void {
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH_PERCENT}`);
  setFlagsFromString('--semi-space-growth-factor=2');
  const observer = new PerformanceObserver(() => {
    if (semiSpaceBytes() < SEMI_SPACE_BYTES) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}
