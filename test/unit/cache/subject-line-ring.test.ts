import { expect, test } from 'vitest';
import type { LogLevel } from '../../../agent/runtime/logger.ts';
import { createSubjectLineRing } from '../../../agent/runtime/subject-line-ring.ts';

const LIMITS = { lines: 4, errorLines: 2, maxChars: 100 };
function createRing() {
  const ring = createSubjectLineRing(({ fields: { about } }) => (typeof about === 'string' ? about : null), LIMITS);
  let atMs = 0;
  const say = (message: string, about?: string, level: LogLevel = 'info') =>
    ring.sink({ level, message, fields: about === undefined ? {} : { about }, atMs: atMs++ });
  return { ring, say };
}

test('a subject is told what was said of it and of nothing, in order, and nothing of others', () => {
  const { ring, say } = createRing();
  say('all-1');
  say('a-1', 'a');
  say('b-1', 'b', 'error');
  say('all-2');
  say('a-2', 'a', 'error');
  expect(ring.about('a').log.map((line) => /(all|a|b)-\d/.exec(line)?.[0])).toEqual(['all-1', 'a-1', 'all-2', 'a-2']);
  expect(ring.about('a').error).toEqual([expect.stringContaining('a-2')]);
});

test('a talkative subject drives out none of the lines of a quiet one', () => {
  const { ring, say } = createRing();
  say('quiet', 'a');
  for (let line = 0; line < 50; line++) say(`loud-${line}`, 'b');
  expect(ring.about('a').log).toEqual([expect.stringContaining('quiet')]);
  expect(ring.about('b').log).toHaveLength(4);
});

test('memory stays bounded, whatever number of subjects there is', () => {
  const { ring, say } = createRing();
  for (let subject = 0; subject < 300; subject++) say('line', `s-${subject}`);
  expect(ring.about('s-0').log).toEqual([]);
  expect(ring.about('s-299').log).toHaveLength(1);
});
