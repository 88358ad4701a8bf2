import { expect, test } from 'vitest';
import { createKeyedLanes } from '../../../agent/iconik/creation/keyed-lanes.ts';

test('work with one key runs one after the other in the order asked, also past failures; other keys do not wait', async () => {
  const lanes = createKeyedLanes();
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = lanes.run('a', async () => {
    log.push('a1');
    await gate.promise;
    throw new Error('fails');
  });
  const second = lanes.run('a', async () => log.push('a2'));
  await lanes.run('b', async () => log.push('b'));
  expect(log).toEqual(['a1', 'b']);
  gate.resolve();
  await expect(first).rejects.toThrow('fails');
  await second;
  expect(log).toEqual(['a1', 'b', 'a2']);
});
