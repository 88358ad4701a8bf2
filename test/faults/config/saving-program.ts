import { createConfigStore } from '../../../agent/config-file/config-store.ts';

// Saves config.ini in a loop until it is killed; tells its parent when the first save is done.
const store = createConfigStore(process.argv[2] ?? '');
for (let turn = 1; ; turn += 1) {
  await store.write({ 'proxy-bitrate': String(3_000_000 + (turn % 1_000)) });
  if (turn === 1) process.send?.('saving');
}
