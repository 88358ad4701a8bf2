import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs ImageMagick to make a sample; throws with its words. */
export async function magick(args: readonly string[]): Promise<void> {
  // A machine may have a script called convert in front of the real one; Debian's own is here.
  await run(process.env.ISG_PRO_TEST_CONVERT ?? '/usr/bin/convert', [...args]);
}

/** A red and blue HEIF picture of 64 × 40, of one PNG. */
export async function makeHeif(path: string, pngPath: string): Promise<void> {
  await run('heif-enc', [pngPath, '-o', path]);
}

/** Writes an Exif note into a JPEG: turn it a quarter to the right to see it upright. */
export async function turnByExif(path: string): Promise<void> {
  const tiff = Buffer.alloc(26);
  tiff.write('MM\0*', 0, 'latin1');
  tiff.writeUInt32BE(8, 4);
  tiff.writeUInt16BE(1, 8);
  tiff.writeUInt16BE(0x0112, 10);
  tiff.writeUInt16BE(3, 12);
  tiff.writeUInt32BE(1, 14);
  tiff.writeUInt16BE(6, 18);
  const body = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  const jpeg = await readFile(path);
  await writeFile(path, Buffer.concat([jpeg.subarray(0, 2), head, body, jpeg.subarray(2)]));
}

/** One field of a TIFF directory; values longer than four bytes stand behind the directory. */
interface Field {
  tag: number;
  type: 1 | 2 | 3 | 4 | 5 | 10;
  count: number;
  value: Buffer;
}

const short = (tag: number, ...values: number[]): Field => ({
  tag,
  type: 3,
  count: values.length,
  value: Buffer.from(Uint16Array.from(values).buffer),
});
const long = (tag: number, value: number): Field => ({
  tag,
  type: 4,
  count: 1,
  value: Buffer.from(Uint32Array.of(value).buffer),
});
const text = (tag: number, words: string): Field => {
  const value = Buffer.from(`${words}\0`);
  return { tag, type: 2, count: value.length, value };
};
const bytes = (tag: number, ...values: number[]): Field => ({
  tag,
  type: 1,
  count: values.length,
  value: Buffer.from(values),
});
const ratios = (tag: number, values: readonly number[], type: 5 | 10 = 10): Field => ({
  tag,
  type,
  count: values.length,
  value: Buffer.from(Int32Array.from(values.flatMap((value) => [Math.round(value * 10_000), 10_000])).buffer),
});

/** A camera raw file (DNG) of reddish grey: what a sensor of `width` × `height` cells gives, 16 bits each. */
export async function makeDng(path: string, width: number, height: number): Promise<void> {
  const cells = Buffer.alloc(width * height * 2);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const isRed = row % 2 === 0 && column % 2 === 0;
      cells.writeUInt16LE(isRed ? 40_000 : 9_000, (row * width + column) * 2);
    }
  }
  const fields = [
    long(254, 0),
    long(256, width),
    long(257, height),
    short(258, 16),
    short(259, 1),
    short(262, 32_803),
    text(271, 'Test'),
    text(272, 'Sensor'),
    long(273, 0),
    short(274, 1),
    short(277, 1),
    long(278, height),
    long(279, cells.length),
    short(284, 1),
    short(33_421, 2, 2),
    bytes(33_422, 0, 1, 1, 2),
    bytes(50_706, 1, 4, 0, 0),
    text(50_708, 'Test Sensor'),
    ratios(50_721, [1, 0, 0, 0, 1, 0, 0, 0, 1]),
    ratios(50_728, [1, 1, 1], 5),
  ];
  const directory = Buffer.alloc(2 + fields.length * 12 + 4);
  directory.writeUInt16LE(fields.length, 0);
  const behind: Buffer[] = [];
  let end = 8 + directory.length;
  const outside = fields.reduce((sum, { value }) => sum + (value.length > 4 ? value.length : 0), 0);
  for (const [index, { tag, type, count, value }] of fields.entries()) {
    const at = 2 + index * 12;
    directory.writeUInt16LE(tag, at);
    directory.writeUInt16LE(type, at + 2);
    directory.writeUInt32LE(count, at + 4);
    if (tag === 273) directory.writeUInt32LE(8 + directory.length + outside, at + 8);
    else if (value.length <= 4) value.copy(directory, at + 8);
    else {
      directory.writeUInt32LE(end, at + 8);
      behind.push(value);
      end += value.length;
    }
  }
  const head = Buffer.from('49492a0008000000', 'hex');
  await writeFile(path, Buffer.concat([head, directory, ...behind, cells]));
}

/** A PDF of one page, 300 × 200 points, filled with green. */
export function pdfPage(): Buffer {
  const content = '0 0.6 0 rg 0 0 300 200 re f';
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
  ];
  let body = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = body.length;
    body += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}`;
  return Buffer.from(
    `${body}${table}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${body.length}\n%%EOF\n`,
  );
}

/** A text document (flat ODT) with a blue page, a line of text, and pictures that lie at other places. */
export function flatText(pictures: readonly string[] = []): string {
  const frames = pictures.map(
    (href) =>
      `<text:p><draw:frame svg:width="8cm" svg:height="8cm"><draw:image xlink:type="simple" xlink:href="${href}"/></draw:frame></text:p>`,
  );
  const spaces = ['office', 'text', 'style', 'drawing', 'xsl-fo-compatible', 'svg-compatible'];
  const names = ['office', 'text', 'style', 'draw', 'fo', 'svg'];
  const xmlns = names
    .map((name, index) => `xmlns:${name}="urn:oasis:names:tc:opendocument:xmlns:${spaces[index]}:1.0"`)
    .join(' ');
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<office:document ${xmlns} xmlns:xlink="http://www.w3.org/1999/xlink" office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.text">`,
    '<office:automatic-styles><style:page-layout style:name="page"><style:page-layout-properties fo:page-width="20cm" fo:page-height="10cm" fo:background-color="#0000ff"/></style:page-layout></office:automatic-styles>',
    '<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="page"/></office:master-styles>',
    `<office:body><office:text><text:p>Shot list</text:p>${frames.join('')}</office:text></office:body></office:document>`,
  ].join('\n');
}
