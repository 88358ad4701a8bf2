/** Runs work with the same key one after the other, in the order asked; different keys run side by side. */
export interface KeyedLanes {
  run<T>(key: string, work: () => Promise<T>): Promise<T>;
}

/** Lanes of this process; a lane without work takes no memory. */
export function createKeyedLanes(): KeyedLanes {
  const tails = new Map<string, Promise<unknown>>();
  return {
    run(key, work) {
      const before = tails.get(key) ?? Promise.resolve();
      const result = before.then(work, work);
      const tail = result.then(
        () => undefined,
        () => undefined,
      );
      tails.set(key, tail);
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key);
      });
      return result;
    },
  };
}
