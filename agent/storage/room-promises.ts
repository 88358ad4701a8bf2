/** Room on one storage that its downloads in progress will still take. */
export interface RoomPromises {
  /**
   * Runs one download of `sizeBytes`. It is told what the downloads that began before it have still to write (those after
   * it count it, so of two that do not fit together the first goes on), and says how far it is.
   */
  during<T>(
    sizeBytes: number,
    run: (promisedBytes: number, onProgress: (doneBytes: number) => void) => Promise<T>,
  ): Promise<T>;
}

/** Starts without any download. Each process of a storage sees the disk alone, so that the sum is kept here. */
export function createRoomPromises(): RoomPromises {
  const open = new Set<{ leftBytes: number }>();
  return {
    async during(sizeBytes, run) {
      const promisedBytes = [...open].reduce((sum, { leftBytes }) => sum + leftBytes, 0);
      const mine = { leftBytes: sizeBytes };
      open.add(mine);
      try {
        return await run(promisedBytes, (doneBytes) => {
          mine.leftBytes = Math.max(0, sizeBytes - doneBytes);
        });
      } finally {
        open.delete(mine);
      }
    },
  };
}
