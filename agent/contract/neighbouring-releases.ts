/** Which versions are made to run together. Pure. */

const SHAPE = /^v?(\d+)\.(\d+)(?:[.+-]|$)/i;

/**
 * Whether at least one release (major.minor) lies between them for certain; false where one of them is no version. Only
 * neighbouring releases are made to run together: tables that a release no longer needs may be gone in the one after (expand,
 * then contract).
 */
export function isBeyondNeighbour(older: string, newer: string): boolean {
  const [left, right] = [SHAPE.exec(older.trim()), SHAPE.exec(newer.trim())];
  if (left === null || right === null) return false;
  const majors = Number(right[1]) - Number(left[1]);
  if (majors === 0) return Number(right[2]) - Number(left[2]) >= 2;
  // How many minors the older major had is not known; what is certain: x.n → (x+1).0 may be neighbours, (x+1).1 is not.
  return majors === 1 ? Number(right[2]) >= 1 : majors >= 2;
}
