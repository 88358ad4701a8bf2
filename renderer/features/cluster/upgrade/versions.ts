// Versions as people number releases: 1.12.0, 1.12.0-beta.2. Pure.

const SHAPE = /^v?(\d+)\.(\d+)(?:\.(\d+))?(?:-([0-9a-z.-]+))?(?:\+.*)?$/i;

interface Version {
  numbers: readonly [major: number, minor: number, patch: number];
  /** Empty for a release; a pre-release comes before its release. */
  pre: string;
}

function parse(text: string): Version | null {
  const [, major, minor, patch = '0', pre = ''] = SHAPE.exec(text.trim()) ?? [];
  return major === undefined ? null : { numbers: [Number(major), Number(minor), Number(patch)], pre };
}

const byText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1);

function comparePre(a: string, b: string): number {
  if (a === b) return 0;
  if (a === '') return 1;
  if (b === '') return -1;
  const [left, right] = [a.split('.'), b.split('.')];
  for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
    const [x, y] = [left[at], right[at]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    const [xNumber, yNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    const order = xNumber && yNumber ? Number(x) - Number(y) : xNumber === yNumber ? byText(x, y) : xNumber ? -1 : 1;
    if (order !== 0) return order;
  }
  return byText(a, b);
}

/** Below 0 when `a` is older than `b`, 0 when they are the same release. What is no version comes before all that are. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parse(a), parse(b)];
  if (left === null || right === null) return left === right ? byText(a, b) : left === null ? -1 : 1;
  for (const at of [0, 1, 2] as const) {
    const difference = left.numbers[at] - right.numbers[at];
    if (difference !== 0) return difference;
  }
  return comparePre(left.pre, right.pre);
}

/** The newest of some versions; empty for none. */
export function newestVersion(versions: readonly string[]): string {
  return versions.reduce((newest, each) => (newest === '' || compareVersions(each, newest) > 0 ? each : newest), '');
}
