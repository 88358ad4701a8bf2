import { crc32, deflateSync } from 'node:zlib';
import type { Picture } from './picture.ts';

/** Image files written by hand: PNG, ICO (Windows) and ICNS (macOS). */

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(typed));
  return Buffer.concat([head, typed, check]);
}

/** A PNG with 8 bits per channel and transparency. */
export function pngOf(picture: Picture): Buffer {
  const { size } = picture;
  const rgba = picture.rgba();
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6, 0, 0, 0], 8);
  // Each row as the difference to the one above (filter 2): flat shapes shrink to almost nothing.
  const rows = Buffer.alloc(size * (size * 4 + 1));
  for (let y = 0; y < size; y += 1) {
    const start = y * (size * 4 + 1);
    rows[start] = 2;
    for (let x = 0; x < size * 4; x += 1)
      rows[start + 1 + x] = (rgba[y * size * 4 + x] ?? 0) - (y === 0 ? 0 : (rgba[(y - 1) * size * 4 + x] ?? 0));
  }
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Largest icon stored as a bitmap in an ICO; larger ones are PNGs, which every Windows of today reads there. */
const BITMAP_UP_TO = 32;

// A bitmap as icons hold it: rows from the bottom, blue first, then a mask of one bit per pixel.
function bitmapOf(picture: Picture): Buffer {
  const { size } = picture;
  const rgba = picture.rgba();
  const head = Buffer.alloc(40);
  head.writeUInt32LE(40, 0);
  head.writeInt32LE(size, 4);
  // Twice the height: picture and mask.
  head.writeInt32LE(size * 2, 8);
  head.writeUInt16LE(1, 12);
  head.writeUInt16LE(32, 14);
  const pixels = Buffer.alloc(size * size * 4);
  const maskRow = Math.ceil(size / 32) * 4;
  const mask = Buffer.alloc(maskRow * size);
  for (let y = 0; y < size; y += 1)
    for (let x = 0; x < size; x += 1) {
      const from = (y * size + x) * 4;
      const row = size - 1 - y;
      const [red = 0, green = 0, blue = 0, opacity = 0] = rgba.subarray(from, from + 4);
      pixels.set([blue, green, red, opacity], (row * size + x) * 4);
      const at = row * maskRow + (x >> 3);
      if (opacity === 0) mask[at] = (mask[at] ?? 0) | (0x80 >> (x & 7));
    }
  return Buffer.concat([head, pixels, mask]);
}

/** An ICO with all pictures, smallest first. */
export function icoOf(pictures: readonly Picture[]): Buffer {
  const images = pictures.map((picture) => (picture.size <= BITMAP_UP_TO ? bitmapOf(picture) : pngOf(picture)));
  const head = Buffer.alloc(6 + 16 * images.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(images.length, 4);
  let offset = head.length;
  for (const [index, image] of images.entries()) {
    const at = 6 + 16 * index;
    const size = pictures[index]?.size ?? 0;
    // 0 means 256.
    head.set([size % 256, size % 256, 0, 0], at);
    head.writeUInt16LE(1, at + 4);
    head.writeUInt16LE(32, at + 6);
    head.writeUInt32LE(image.length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += image.length;
  }
  return Buffer.concat([head, ...images]);
}

/** Types of the PNG entries of an ICNS, by size in pixels. */
const ICNS_TYPES: Record<number, readonly string[]> = {
  16: ['icp4'],
  32: ['icp5', 'ic11'],
  64: ['ic12'],
  128: ['ic07'],
  256: ['ic08', 'ic13'],
  512: ['ic09', 'ic14'],
  1024: ['ic10'],
};

/** An ICNS with all pictures; sizes 16 to 1024 in powers of two. */
export function icnsOf(pictures: readonly Picture[]): Buffer {
  const entries = pictures.flatMap((picture) => {
    const png = pngOf(picture);
    return (ICNS_TYPES[picture.size] ?? []).map((type) => icnsEntry(type, png));
  });
  return icnsEntry('icns', Buffer.concat(entries));
}

function icnsEntry(type: string, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.write(type, 'latin1');
  head.writeUInt32BE(data.length + 8, 4);
  return Buffer.concat([head, data]);
}
