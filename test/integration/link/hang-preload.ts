/** Loaded before an agent: blocks its main loop for good on SIGUSR2. */
process.on('SIGUSR2', () => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
});
