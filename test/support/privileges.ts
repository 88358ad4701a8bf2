/** Throws, with words, unless this process is root. `what` completes "This test needs root …". */
export function assertRoot(what: string): void {
  if (process.getuid?.() !== 0) throw new Error(`This test needs root ${what}: run the tests as root on Linux.`);
}
