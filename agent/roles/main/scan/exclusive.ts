/** Runs one piece of work at a time, in the order of asking. */
export type Exclusive = <T>(work: () => Promise<T>) => Promise<T>;

/** A lock of this process. */
export function createExclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}
