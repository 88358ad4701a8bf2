/** A small agent for tests of the link: links, beats, and blocks its main loop on order. */

import { EXIT } from '../../../agent/contract/index.ts';
import { startBeatThread } from '../../../agent/link/beat-thread.ts';
import { openParentLink } from '../../../agent/link/parent-link.ts';

const link = openParentLink({ version: '1.2.3' });
if (link === null) {
  process.stdout.write('headless\n');
} else {
  const [socketPath] = process.argv.slice(2);
  if (socketPath) startBeatThread(socketPath, link.counter);
  link.onStop((cause) => process.exit(cause === 'lost' ? EXIT.parentLost : EXIT.stopped));
  link.redactBy((text) => text.replaceAll('hunter2', '***'));
  link.serve({
    // Stands in for work that blocks the loop: for good, as far as this process knows.
    'node.pause': async () => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
      return {};
    },
    'node.resume': async () => {
      throw new Error('the password is hunter2');
    },
    'jobs.cancel': async () => ({}),
  });
}
