/**
 * The palette, as data, so that a test can prove its contrast. Each becomes a CSS variable `--isg-<name>`. One accent;
 * the four status colours appear only together with a shape and a word; the four series colours only with a dash pattern.
 */
export interface Palette {
  /** Behind everything. */
  canvas: string;
  /** Of cards, tables, dialogs. */
  surface: string;
  /** Of wells, tracks, code. */
  sunken: string;
  hover: string;
  border: string;
  /** Of controls and tracks that must be seen (3:1). */
  borderStrong: string;
  text: string;
  dim: string;
  accent: string;
  accentBg: string;
  ok: string;
  okBg: string;
  warning: string;
  warningBg: string;
  failing: string;
  failingBg: string;
  unknown: string;
  unknownBg: string;
  series1: string;
  series2: string;
  series3: string;
  series4: string;
}

/** Light. */
export const LIGHT: Palette = {
  canvas: '#f4f5f7',
  surface: '#ffffff',
  sunken: '#eceef1',
  hover: '#f1f4f8',
  border: '#dadee4',
  borderStrong: '#848d99',
  text: '#1a1f26',
  dim: '#565f6b',
  accent: '#1b5fae',
  accentBg: '#e6effa',
  ok: '#19703a',
  okBg: '#e5f4ea',
  warning: '#875000',
  warningBg: '#fdf2da',
  failing: '#bb1f2a',
  failingBg: '#fdebec',
  unknown: '#565f6b',
  unknownBg: '#eceef1',
  series1: '#1b5fae',
  series2: '#a34a00',
  series3: '#0d7268',
  series4: '#7a3cb8',
};

/** Dark. */
export const DARK: Palette = {
  canvas: '#12151a',
  surface: '#191d23',
  sunken: '#0f1216',
  hover: '#20252c',
  border: '#2d343d',
  borderStrong: '#6b7684',
  text: '#e4e8ed',
  dim: '#9ba5b1',
  accent: '#7db3f2',
  accentBg: '#1a2b40',
  ok: '#62c886',
  okBg: '#15281d',
  warning: '#e5b34b',
  warningBg: '#2e2612',
  failing: '#ff8a85',
  failingBg: '#351b1e',
  unknown: '#9ba5b1',
  unknownBg: '#23282f',
  series1: '#7db3f2',
  series2: '#f0a35e',
  series3: '#56c9b8',
  series4: '#c39af0',
};

const channel = (hex: string, at: number): number => {
  const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
};
const luminance = (hex: string): number =>
  0.2126 * channel(hex, 1) + 0.7152 * channel(hex, 3) + 0.0722 * channel(hex, 5);

/** Contrast of two `#rrggbb` colours by WCAG 2: 1–21; text needs 4.5, shapes 3. */
export function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** `borderStrong` → `--isg-border-strong`. */
export function paletteVariables(palette: Palette): Record<string, string> {
  return Object.fromEntries(
    Object.entries(palette).map(([name, value]) => [
      `--isg-${name.replaceAll(/[A-Z0-9]/g, (char) => `-${char.toLowerCase()}`)}`,
      value,
    ]),
  );
}
