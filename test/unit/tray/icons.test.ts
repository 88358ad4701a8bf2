import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { iconFiles } from '../../../build/icons/tool/icon-files.ts';
import { TRAY_ICONS } from '../../../main/tray/tray-icon.ts';
import { trayIconFile } from '../../../main/tray/tray-icon-file.ts';

const folder = new URL('../../../build/icons/', import.meta.url);
const made = iconFiles(readFileSync(new URL('isg-pro.svg', folder), 'utf8'));

/** Rows of a PNG that this repository wrote, as they were before compression (which may differ between zlib versions). */
function content(png: Buffer): Buffer {
  const size = png.readUInt32BE(33);
  return inflateSync(png.subarray(41, 41 + size));
}

/** Opacity of each pixel of a 16 pixel PNG. */
function opacity(png: Buffer): number[] {
  const rows = content(png);
  const pixels: number[] = [];
  for (let y = 0; y < 16; y += 1)
    for (let x = 0; x < 16; x += 1) {
      const above = y === 0 ? 0 : (pixels[(y - 1) * 16 + x] ?? 0);
      pixels.push(((rows[y * 65 + 1 + x * 4 + 3] ?? 0) + above) & 255);
    }
  return pixels;
}

describe('icons', () => {
  it('the committed files are what the script makes of the vector source', () => {
    for (const [path, bytes] of made) {
      const committed = readFileSync(new URL(path, folder));
      if (path.endsWith('.png')) expect(content(committed).equals(content(bytes)), path).toBe(true);
      else expect(committed.length, path).toBeGreaterThan(100);
    }
    for (const platform of ['macos', 'windows', 'linux'])
      for (const name of readdirSync(new URL(`tray/${platform}/`, folder)))
        expect(made.has(`tray/${platform}/${name}`), name).toBe(true);
  });

  it('there is a file for every state on every platform and panel', () => {
    for (const icon of TRAY_ICONS)
      for (const platform of ['darwin', 'win32', 'linux'] as const)
        for (const isDark of [true, false])
          expect(existsSync(new URL(`tray/${trayIconFile(icon, platform, isDark)}`, folder))).toBe(true);
  });

  it('at 16 pixels without colour any two states differ in at least 20 pixels', () => {
    const shapes = TRAY_ICONS.map((icon) => opacity(made.get(`tray/macos/${icon}Template.png`) ?? Buffer.alloc(0)));
    for (const [index, a] of shapes.entries())
      for (const [offset, b] of shapes.slice(index + 1).entries()) {
        const differing = a.filter((value, pixel) => Math.abs(value - (b[pixel] ?? 0)) > 96).length;
        expect(differing, `${TRAY_ICONS[index]} and ${TRAY_ICONS[index + 1 + offset]}`).toBeGreaterThanOrEqual(20);
      }
  });

  it('Windows icons hold every size from 16 to 48', () => {
    const ico = made.get('tray/windows/leader-on-dark.ico') ?? Buffer.alloc(0);
    const sizes = Array.from({ length: ico.readUInt16LE(4) }, (_, index) => ico[6 + 16 * index]);
    expect(sizes).toEqual([16, 20, 24, 32, 40, 48]);
  });
});
