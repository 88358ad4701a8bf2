/** Arithmetic of CRC-32C (Castagnoli, as in iSCSI), reflected: the lowest bit is the highest power. Pure. */

const POLYNOMIAL = 0x82f63b78;
/** x⁰ and x¹. */
const ONE = 0x80000000;
const X = 0x40000000;

/** Lengths up to 2⁵³ bytes need powers of x up to 2⁵⁶. */
const DOUBLINGS = 57;

/** x^(2^n) for n = 0, 1, 2, … */
const POWERS = powersOfX();

/**
 * CRC-32C of two pieces one after the other, from that of each (unsigned 32 bit) and the length of the second in bytes. So the
 * digest of an object is known from those of its parts, without reading it again.
 */
export function combineCrc32c(first: number, second: number, secondLengthBytes: number): number {
  return (multiply(xToThe(secondLengthBytes), first) ^ second) >>> 0;
}

/** x^(8 × bytes). */
function xToThe(bytes: number): number {
  let power = ONE;
  // 2³ bits are a byte.
  let doubling = 3;
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiply(POWERS[doubling] ?? 0, power);
    doubling += 1;
  }
  return power;
}

function powersOfX(): number[] {
  const powers = [X];
  for (let n = 1; n < DOUBLINGS; n += 1) powers.push(multiply(powers[n - 1] ?? 0, powers[n - 1] ?? 0));
  return powers;
}

/** Product of two polynomials, modulo the generator. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 31; bit >= 0; bit -= 1) {
    if ((a >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}
