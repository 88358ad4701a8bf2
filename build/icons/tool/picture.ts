import type { Point, Shape } from './svg-shapes.ts';

/** Rows into which a pixel is divided for its coverage; along a row the coverage is exact. */
const SUB_ROWS = 16;

/** Red, green, blue; 0–255. */
export type Colour = readonly [number, number, number];

/** Where a shape lies in the picture: `pixel = unit × scale + offset`. */
export interface Placement {
  scale: number;
  offset: number;
}

/** A square picture with transparency. */
export class Picture {
  readonly size: number;
  /** Red, green, blue (0–255) and opacity (0–1) of each pixel, rows from the top; colours are not multiplied by opacity. */
  readonly #pixels: Float64Array;

  constructor(size: number) {
    this.size = size;
    this.#pixels = new Float64Array(size * size * 4);
  }

  /** Paints the shape over what is there; with `null` takes it away from what is there. */
  draw(shape: Shape, placement: Placement, colour: Colour | null): void {
    const coverage = coverageOf(shape, placement, this.size);
    for (let pixel = 0; pixel < coverage.length; pixel += 1) {
      const covered = coverage[pixel] ?? 0;
      if (covered > 0) this.#blend(pixel * 4, covered, colour);
    }
  }

  /** Paints a picture of the same size over what is there. */
  over(above: Picture): void {
    const pixels = above.#pixels;
    for (let at = 0; at < pixels.length; at += 4) {
      const [red = 0, green = 0, blue = 0, opacity = 0] = pixels.subarray(at, at + 4);
      if (opacity > 0) this.#blend(at, opacity, [red, green, blue]);
    }
  }

  #blend(at: number, covered: number, colour: Colour | null): void {
    const pixels = this.#pixels;
    const below = pixels[at + 3] ?? 0;
    if (colour === null) {
      pixels[at + 3] = below * (1 - covered);
      return;
    }
    const opacity = covered + below * (1 - covered);
    for (const [channel, value] of colour.entries())
      pixels[at + channel] = (value * covered + (pixels[at + channel] ?? 0) * below * (1 - covered)) / opacity;
    pixels[at + 3] = opacity;
  }

  /** Four bytes per pixel: red, green, blue, opacity. */
  rgba(): Buffer {
    const bytes = Buffer.alloc(this.#pixels.length);
    for (let at = 0; at < bytes.length; at += 4) {
      const opacity = Math.round((this.#pixels[at + 3] ?? 0) * 255);
      if (opacity === 0) continue;
      for (let channel = 0; channel < 3; channel += 1)
        bytes[at + channel] = Math.round(this.#pixels[at + channel] ?? 0);
      bytes[at + 3] = opacity;
    }
    return bytes;
  }
}

// How much of each pixel the shape covers, 0–1.
function coverageOf(shape: Shape, { scale, offset }: Placement, size: number): Float64Array {
  const coverage = new Float64Array(size * size);
  const place = ([x, y]: Point): Point => [x * scale + offset, y * scale + offset];
  const edges = shape.outlines.flatMap((outline) =>
    outline.map((point, index): [Point, Point] => [
      place(point),
      place(outline[(index + 1) % outline.length] ?? point),
    ]),
  );
  const heights = edges.map(([[, y]]) => y * SUB_ROWS);
  const first = Math.max(0, Math.floor(Math.min(...heights)));
  const last = Math.min(size * SUB_ROWS, Math.ceil(Math.max(...heights)));
  for (let row = first; row < last; row += 1) {
    const y = (row + 0.5) / SUB_ROWS;
    for (const [from, to] of insideSpans(edges, y)) addSpan(coverage, size, Math.floor(row / SUB_ROWS), from, to);
  }
  return coverage;
}

// Where a horizontal line is inside, by the non-zero rule.
function insideSpans(edges: readonly [Point, Point][], y: number): [number, number][] {
  const crossings: { x: number; turn: number }[] = [];
  for (const [[ax, ay], [bx, by]] of edges) {
    if (ay <= y === by <= y) continue;
    crossings.push({ x: ax + ((y - ay) / (by - ay)) * (bx - ax), turn: ay < by ? 1 : -1 });
  }
  crossings.sort((a, b) => a.x - b.x);
  const spans: [number, number][] = [];
  let winding = 0;
  let from = 0;
  for (const { x, turn } of crossings) {
    if (winding === 0) from = x;
    winding += turn;
    if (winding === 0) spans.push([from, x]);
  }
  return spans;
}

function addSpan(coverage: Float64Array, size: number, row: number, from: number, to: number): void {
  const first = Math.max(0, Math.floor(from));
  const last = Math.min(size - 1, Math.ceil(to) - 1);
  for (let column = first; column <= last; column += 1) {
    const width = Math.min(to, column + 1) - Math.max(from, column);
    if (width > 0) coverage[row * size + column] = (coverage[row * size + column] ?? 0) + width / SUB_ROWS;
  }
}
