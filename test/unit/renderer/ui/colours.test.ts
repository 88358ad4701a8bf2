import { describe, expect, it } from 'vitest';
import { contrast, DARK, LIGHT, type Palette, paletteVariables } from '../../../../renderer/ui/colours.ts';

const TEXT_ON: readonly (readonly [keyof Palette, keyof Palette])[] = (
  ['text', 'dim', 'accent', 'ok', 'warning', 'failing', 'unknown'] as const
).flatMap((ink) => (['canvas', 'surface', 'sunken', 'hover'] as const).map((paper) => [ink, paper] as const));

const TINTS: readonly (readonly [keyof Palette, keyof Palette])[] = [
  ['accent', 'accentBg'],
  ['ok', 'okBg'],
  ['warning', 'warningBg'],
  ['failing', 'failingBg'],
  ['unknown', 'unknownBg'],
  ['text', 'accentBg'],
  ['text', 'warningBg'],
  ['text', 'okBg'],
  ['text', 'unknownBg'],
];

describe.each([
  ['light', LIGHT],
  ['dark', DARK],
] as const)('the %s palette', (_, palette) => {
  it.each([...TEXT_ON, ...TINTS])('has AA contrast of %s as text on %s', (ink, paper) => {
    expect(contrast(palette[ink], palette[paper])).toBeGreaterThanOrEqual(4.5);
  });

  it.each(['borderStrong', 'series1', 'series2', 'series3', 'series4'] as const)(
    'shows the shape %s at 3:1',
    (shape) => {
      expect(contrast(palette[shape], palette.surface)).toBeGreaterThanOrEqual(3);
    },
  );
});

describe('contrast', () => {
  it('is 21 between black and white, in either order, and 1 of a colour with itself', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
    expect(contrast('#ffffff', '#000000')).toBeCloseTo(21, 5);
    expect(contrast('#1b5fae', '#1b5fae')).toBe(1);
  });
});

describe('the variables', () => {
  it('are named in kebab case', () => {
    const names = Object.keys(paletteVariables(LIGHT));
    expect(names).toContain('--isg-border-strong');
    expect(names).toContain('--isg-series-1');
  });
});
