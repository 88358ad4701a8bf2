import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DARK, LIGHT } from '../../../../renderer/ui/colours.ts';

const page = readFileSync(new URL('../../../../renderer/index.html', import.meta.url), 'utf8');
const frame = readFileSync(new URL('../../../../renderer/ui/frame/frame.css', import.meta.url), 'utf8');

it('the frame that stands before the program is read has the colours of the window', () => {
  const pairs = [...page.matchAll(/light-dark\((#\w+), (#\w+)\)/g)].map(([, light, dark]) => [light, dark]);
  const ours = (['canvas', 'text', 'border', 'surface'] as const).map((name) => [LIGHT[name], DARK[name]]);
  expect(pairs).toEqual(ours);
});

it('the frame that stands before the program is read has the measures of the window', () => {
  const [, rows, columns] = /grid-template: (48px) minmax\(0, 1fr\) 32px \/ (176px)/.exec(frame) ?? [];
  expect(page).toContain(`grid-template: ${rows} 1fr 32px / ${columns} 1fr`);
});
