/** Reads the few kinds of SVG elements that the icon source uses; everything else is an error, so that nothing is lost silently. */

/** A point, in the units of the view box. */
export type Point = readonly [x: number, y: number];

/** A filled shape: closed outlines, filled by the non-zero rule. */
export interface Shape {
  /** The element's class: how it is drawn. */
  style: string;
  outlines: Point[][];
}

/** Quarter of a circle as a Bézier curve: distance of the control points, in radii. */
const ARC = 0.5523;
const CURVE_STEPS = 24;

/** The groups of the source by id. Throws on an element it does not know. */
export function readGroups(svg: string): Map<string, Shape[]> {
  const groups = new Map<string, Shape[]>();
  for (const [, id = '', body = ''] of svg.matchAll(/<g id="([^"]+)">([\s\S]*?)<\/g>/g))
    groups.set(
      id,
      [...body.matchAll(/<(\w+)\s([^>]*?)\/>/g)].map(([, kind = '', text = '']) => shapeOf(kind, text)),
    );
  return groups;
}

function shapeOf(kind: string, text: string): Shape {
  const attributes = new Map(
    [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
  const number = (name: string) => Number(attributes.get(name) ?? 0);
  const style = attributes.get('class') ?? '';
  switch (kind) {
    case 'rect': {
      const [x, y, width, height] = [number('x'), number('y'), number('width'), number('height')];
      return { style, outlines: [roundedRect([x, y], [x + width, y + height], number('rx'))] };
    }
    case 'circle': {
      const [x, y, r] = [number('cx'), number('cy'), number('r')];
      return { style, outlines: [roundedRect([x - r, y - r], [x + r, y + r], r)] };
    }
    case 'path':
      return { style, outlines: pathOutlines(attributes.get('d') ?? '') };
    default:
      throw new Error(`The icon source has an element <${kind}>, which is not understood`);
  }
}

function roundedRect([left, top]: Point, [right, bottom]: Point, r: number): Point[] {
  const k = r * (1 - ARC);
  return [
    ...curve([left, top + r], [left, top + k], [left + k, top], [left + r, top]),
    ...curve([right - r, top], [right - k, top], [right, top + k], [right, top + r]),
    ...curve([right, bottom - r], [right, bottom - k], [right - k, bottom], [right - r, bottom]),
    ...curve([left + r, bottom], [left + k, bottom], [left, bottom - k], [left, bottom - r]),
  ];
}

function curve(a: Point, b: Point, c: Point, d: Point): Point[] {
  return Array.from({ length: CURVE_STEPS + 1 }, (_, step) => {
    const t = step / CURVE_STEPS;
    const [p, q, r, s] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
    return [p * a[0] + q * b[0] + r * c[0] + s * d[0], p * a[1] + q * b[1] + r * c[1] + s * d[1]];
  });
}

function pathOutlines(d: string): Point[][] {
  const outlines: Point[][] = [];
  let points: Point[] = [];
  for (const [, command = '', text = ''] of d.matchAll(/([A-Za-z])([^A-Za-z]*)/g)) {
    const n = (text.match(/-?[\d.]+/g) ?? []).map(Number);
    const [x, y] = points.at(-1) ?? [0, 0];
    const at = (index: number): Point => [n[index] ?? 0, n[index + 1] ?? 0];
    if (command === 'M') {
      points = [at(0)];
      outlines.push(points);
    } else if (command === 'L') points.push(at(0));
    else if (command === 'H') points.push([n[0] ?? 0, y]);
    else if (command === 'V') points.push([x, n[0] ?? 0]);
    else if (command === 'C') points.push(...curve([x, y], at(0), at(2), at(4)));
    else if (command !== 'Z') throw new Error(`The icon source has a path command ${command}, which is not understood`);
  }
  return outlines;
}
