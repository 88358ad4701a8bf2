import { icnsOf, icoOf, pngOf } from './image-files.ts';
import { type Colour, Picture } from './picture.ts';
import { readGroups, type Shape } from './svg-shapes.ts';

/** Which icon files there are, and how each is drawn. */

/** Units of the source's view box. */
const UNITS = 32;

/** Colours of one panel: of the silhouette, and of the marks by state; a state without one uses the silhouette's. */
interface Palette {
  glyph: Colour;
  marks: Record<string, Colour>;
}

const ON_DARK: Palette = {
  glyph: [245, 247, 250],
  marks: {
    degraded: [255, 194, 71],
    duplicate: [255, 194, 71],
    'agent-down': [255, 123, 114],
    'update-ready': [122, 183, 255],
  },
};
const ON_LIGHT: Palette = {
  glyph: [32, 38, 46],
  marks: {
    degraded: [154, 91, 0],
    duplicate: [154, 91, 0],
    'agent-down': [192, 28, 40],
    'update-ready': [26, 95, 180],
  },
};
/** macOS colours template images itself and looks only at the opacity. */
const TEMPLATE: Palette = { glyph: [0, 0, 0], marks: {} };
const TILE: Colour = [38, 45, 54];
const TILE_EDGE: Colour = [112, 122, 134];
const APP_COLOURS: Record<string, Colour> = { tile: [24, 58, 92], glyph: [245, 247, 250], light: [31, 139, 214] };

const WINDOWS_TRAY_SIZES = [16, 20, 24, 32, 40, 48];
const APP_ICO_SIZES = [16, 24, 32, 48, 64, 128, 256];
const APP_ICNS_SIZES = [16, 32, 64, 128, 256, 512, 1_024];

/** Every icon file by its path below `build/icons`. Pure. */
export function iconFiles(svg: string): Map<string, Buffer> {
  const groups = readGroups(svg);
  const files = new Map<string, Buffer>();
  const app = (size: number) => appPicture(groups.get('app') ?? [], size);
  files.set('icon.png', pngOf(app(512)));
  files.set('icon.ico', icoOf(APP_ICO_SIZES.map(app)));
  files.set('icon.icns', icnsOf(APP_ICNS_SIZES.map(app)));
  const body = groups.get('body') ?? [];
  for (const [state, mark] of groups) {
    if (state === 'app' || state === 'body') continue;
    const draw = (palette: Palette, size: number) =>
      statePicture({ shapes: [...body, ...mark], palette, state, size, inset: 0 }, new Picture(size));
    files.set(`tray/macos/${state}Template.png`, pngOf(draw(TEMPLATE, 16)));
    files.set(`tray/macos/${state}Template@2x.png`, pngOf(draw(TEMPLATE, 32)));
    files.set(`tray/windows/${state}-on-dark.ico`, icoOf(WINDOWS_TRAY_SIZES.map((size) => draw(ON_DARK, size))));
    files.set(`tray/windows/${state}-on-light.ico`, icoOf(WINDOWS_TRAY_SIZES.map((size) => draw(ON_LIGHT, size))));
    const onTile = (size: number) =>
      statePicture({ shapes: [...body, ...mark], palette: ON_DARK, state, size, inset: 1 / 8 }, new Picture(size));
    files.set(`tray/linux/${state}.png`, pngOf(tiled(onTile(24))));
    files.set(`tray/linux/${state}@2x.png`, pngOf(tiled(onTile(48))));
  }
  return files;
}

function appPicture(shapes: readonly Shape[], size: number): Picture {
  const picture = new Picture(size);
  for (const shape of shapes)
    picture.draw(shape, { scale: size / UNITS, offset: 0 }, APP_COLOURS[shape.style] ?? APP_COLOURS.glyph ?? null);
  return picture;
}

interface StateDrawing {
  shapes: readonly Shape[];
  palette: Palette;
  state: string;
  size: number;
  /** Free edge on each side, as a share of the size. */
  inset: number;
}

function statePicture({ shapes, palette, state, size, inset }: StateDrawing, picture: Picture): Picture {
  const placement = { scale: (size * (1 - 2 * inset)) / UNITS, offset: size * inset };
  for (const shape of shapes) {
    const mark = palette.marks[state] ?? palette.glyph;
    picture.draw(shape, placement, shape.style === 'cut' ? null : shape.style === 'mark' ? mark : palette.glyph);
  }
  return picture;
}

// A Linux panel may be light or dark, and nobody tells: the tile brings its own background.
function tiled(icon: Picture): Picture {
  const { size } = icon;
  const picture = new Picture(size);
  const rect = (edge: number, radius: number): Shape =>
    readGroups(
      `<g id="t"><rect class="t" x="${edge}" y="${edge}" width="${24 - 2 * edge}" height="${24 - 2 * edge}" rx="${radius}"/></g>`,
    ).get('t')?.[0] ?? { style: '', outlines: [] };
  const placement = { scale: size / 24, offset: 0 };
  picture.draw(rect(0, 5), placement, TILE_EDGE);
  picture.draw(rect(1, 4), placement, TILE);
  picture.over(icon);
  return picture;
}
