import { expect, it } from 'vitest';
import { coarsely } from '../../../agent/db/queries/node-log-view.ts';

it.each([
  ['a plain text, in whole', 'the disk is full', 'the disk is full'],
  ['a field: the longer of name and value', '"path":"reel 7"', 'reel 7'],
  ['a list', '[1,22]', '22'],
  ['what has escapes', '"C:\\\\media\\\\a"', 'media'],
  ['marks only: nothing, so that every line is judged', '":"', ''],
])('sorts out coarsely by %s', (_, text, piece) => {
  expect(coarsely(text)).toBe(piece);
});
