import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MediaInfo } from '../../../agent/roles/transcode/ffmpeg/media-info.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { type Prepared, prepareSource } from '../../../agent/roles/transcode/prepare-source.ts';
import { findTools, NO_TOOLS, type Tools } from '../../../agent/roles/transcode/tools/find-tools.ts';
import { runGenerator } from '../../demo/clips.ts';
import { createFfmpegFixture, type FfmpegFixture } from './ffmpeg-fixture.ts';
import { flatText, magick, makeDng, makeHeif, pdfPage, turnByExif } from './still-samples.ts';

const signal = AbortSignal.timeout(240_000);
const guard = { watch: () => {} };
let fixture: FfmpegFixture;
let tools: Tools;
let server: Server;
let asked: string[] = [];
let jobs = 0;

const BOX = { width: 48, height: 48 };

beforeAll(async () => {
  fixture = await createFfmpegFixture();
  tools = await findTools({ guard, signal });
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await fixture.remove();
});

const pathOf = (name: string) => join(fixture.dir, name);

async function prepared(path: string, have: Tools = tools): Promise<Prepared & { dir: string }> {
  jobs += 1;
  const dir = pathOf(`job-${jobs}`);
  await mkdir(dir);
  const made = await prepareSource(path, { ffmpeg: fixture.ffmpeg, tools: have, guard, signal, dir, box: BOX });
  return { ...made, dir };
}

interface Shown {
  described: MediaInfo;
  width: number;
  height: number;
  /** Colour of the middle. */
  colour: number[];
}

/** The image proxy of a file, looked at with ffmpeg. */
async function proxyOf(path: string, have: Tools = tools): Promise<Shown> {
  const ready = await prepared(path, have);
  if (ready.kind !== 'ready') throw new Error(`skipped: ${ready.why}`);
  const target = join(ready.dir, 'proxy.jpg');
  const settings = { ...DEFAULT_PROXY_SETTINGS, imageBox: BOX };
  const { info } = await fixture.ffmpeg.makeProxy(ready.source, target, settings, { signal });
  const { width = 0, height = 0 } = info.video ?? {};
  const view = ['-v', 'error', '-i', target, '-vf', `format=rgb24,crop=1:1:${width >> 1}:${height >> 1}`];
  const raw = execFileSync(fixture.programs.ffmpeg.path, [...view, '-f', 'rawvideo', '-']);
  return { described: ready.described, width, height, colour: [...raw] };
}

const isNear = (colour: readonly number[], wanted: readonly number[], by = 40) =>
  colour.length === 3 && colour.every((value, index) => Math.abs(value - (wanted[index] ?? 0)) <= by);

describe('Tools', () => {
  it('of this machine are found, and a foreign program called convert is not ImageMagick', async () => {
    expect(tools).toMatchObject({
      heif: { name: 'heif-convert' },
      raw: { name: 'dcraw' },
      pdf: { name: 'pdftoppm' },
    });
    expect(tools.imagemagick).not.toBeNull();
    const folder = pathOf('bin');
    await mkdir(folder);
    await writeFile(join(folder, 'convert'), '#!/bin/sh\necho Converts FAT volumes to NTFS.\n', { mode: 0o755 });
    expect((await findTools({ guard, signal, searchPath: folder })).imagemagick).toBeNull();
  });

  it('that are absent pass their files over with the reason in words, not as a failure', async () => {
    const cases: [string, string][] = [
      ['a.pdf', 'pdftoppm'],
      ['a.docx', 'LibreOffice'],
      ['a.nef', 'dcraw'],
      ['a.psb', 'ImageMagick'],
      ['a.heic', 'heif-convert (libheif) or ImageMagick'],
      ['a.r3d', 'camera maker'],
    ];
    for (const [name, word] of cases) {
      await writeFile(pathOf(name), 'no picture at all, only words that no program takes for one');
      const made = await prepared(pathOf(name), NO_TOOLS);
      expect(made, name).toMatchObject({ kind: 'skipped', why: 'no tool', warning: expect.stringContaining(word) });
    }
  });
});

describe('Stills', () => {
  it('with four inks keep their colours, and are told to iconik as they are', async () => {
    await magick(['-size', '80x40', 'xc:rgb(200,40,40)', '-colorspace', 'CMYK', pathOf('inks.tif')]);
    await magick(['-size', '80x40', 'xc:rgb(200,40,40)', '-colorspace', 'CMYK', pathOf('inks.jpg')]);
    for (const name of ['inks.tif', 'inks.jpg']) {
      const shown = await proxyOf(pathOf(name));
      expect({ name, size: [shown.width, shown.height] }).toEqual({ name, size: [48, 24] });
      expect(isNear(shown.colour, [200, 40, 40]), `${name}: ${shown.colour}`).toBe(true);
      expect(shown.described.video).toMatchObject({ width: 80, height: 40 });
    }
  });

  it('of 16 bits keep their colours, with ImageMagick and without', async () => {
    await magick(['-size', '80x40', 'xc:rgb(200,40,40)', '-depth', '16', pathOf('deep.tif')]);
    for (const have of [tools, NO_TOOLS]) {
      const shown = await proxyOf(pathOf('deep.tif'), have);
      expect(isNear(shown.colour, [200, 40, 40])).toBe(true);
    }
  });

  it('stand upright: by the note in a JPEG and by that in a TIFF', async () => {
    await magick(['-size', '80x40', 'xc:red', pathOf('turned.jpg')]);
    await turnByExif(pathOf('turned.jpg'));
    await magick(['-size', '80x40', 'xc:red', '-orient', 'RightTop', pathOf('turned.tif')]);
    for (const name of ['turned.jpg', 'turned.tif']) {
      const shown = await proxyOf(pathOf(name));
      expect({ name, size: [shown.width, shown.height] }).toEqual({ name, size: [24, 48] });
    }
  });

  it('lie on white where they are see-through, and are never enlarged', async () => {
    await magick(['-size', '20x10', 'xc:none', `PNG32:${pathOf('clear.png')}`]);
    await magick(['-size', '20x10', 'xc:none', '-define', 'tiff:alpha=unassociated', pathOf('clear.tif')]);
    for (const name of ['clear.png', 'clear.tif']) {
      const shown = await proxyOf(pathOf(name));
      expect({ name, size: [shown.width, shown.height] }).toEqual({ name, size: [20, 10] });
      expect(isNear(shown.colour, [255, 255, 255]), `${name}: ${shown.colour}`).toBe(true);
    }
  });

  it('of Photoshop, HEIF, and camera raw are read by their tools', async () => {
    await magick(['-size', '80x40', 'xc:rgb(30,60,200)', pathOf('layers.psd')]);
    await magick(['-size', '80x40', 'xc:rgb(30,60,200)', `PNG24:${pathOf('phone.png')}`]);
    await makeHeif(pathOf('phone.heic'), pathOf('phone.png'));
    for (const name of ['layers.psd', 'phone.heic']) {
      const shown = await proxyOf(pathOf(name));
      expect([shown.width, shown.height], name).toEqual([48, 24]);
      expect(isNear(shown.colour, [30, 60, 200]), `${name}: ${shown.colour}`).toBe(true);
    }
    await makeDng(pathOf('sensor.dng'), 128, 96);
    const raw = await proxyOf(pathOf('sensor.dng'));
    expect([raw.width, raw.height]).toEqual([48, 36]);
    expect(raw.described).toMatchObject({ kind: 'image', container: 'dng' });
    expect(raw.colour[0] ?? 0).toBeGreaterThan((raw.colour[2] ?? 0) + 30);
  });

  it('under the name of another kind are read for what they are', async () => {
    await magick(['-size', '80x40', 'xc:red', pathOf('really.jpg')]);
    await magick(['-size', '80x40', 'xc:red', `PNG24:${pathOf('heif.png')}`]);
    await makeHeif(pathOf('really.heic'), pathOf('heif.png'));
    for (const [from, to] of [
      ['really.jpg', 'jpeg-called.heic'],
      ['really.jpg', 'jpeg-called.nef'],
      ['really.heic', 'heif-called.jpg'],
    ] as const) {
      await copyFile(pathOf(from), pathOf(to));
      const shown = await proxyOf(pathOf(to));
      expect([to, shown.width, shown.height]).toEqual([to, 48, 24]);
    }
  });

  it('that are damaged fail for good with the words of their tool', async () => {
    const good = ['layers2.psd', 'phone2.heic', 'sensor2.dng'];
    await magick(['-size', '80x40', 'xc:red', pathOf('layers2.psd')]);
    await magick(['-size', '80x40', 'xc:red', `PNG24:${pathOf('phone2.png')}`]);
    await makeHeif(pathOf('phone2.heic'), pathOf('phone2.png'));
    await makeDng(pathOf('sensor2.dng'), 64, 64);
    for (const name of good) {
      const whole = await readFile(pathOf(name));
      await writeFile(pathOf(`cut-${name}`), whole.subarray(0, 60));
      const failure = prepared(pathOf(`cut-${name}`));
      await expect(failure, name).rejects.toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
    }
  });

  it('that ask for more pixels than ffmpeg may decode go to ImageMagick, or are passed over in words', async () => {
    const path = pathOf('huge.png');
    await runGenerator(['-f', 'lavfi', '-i', 'color=black:size=64x64', '-frames:v', '1', `file:${path}`], { signal });
    const png = await readFile(path);
    png.writeUInt32BE(14_000, 16);
    png.writeUInt32BE(14_000, 20);
    await writeFile(path, png);
    const made = await prepared(path, NO_TOOLS);
    expect(made).toMatchObject({ kind: 'skipped', warning: expect.stringMatching(/14000 × 14000.*ImageMagick/) });
    await expect(prepared(path)).rejects.toMatchObject({ code: 'media-unreadable' });
  });
});

describe('Names', () => {
  it('that tools read as options, lists, formats or patterns are only names', async () => {
    const names = ['-write @msl:"x".tif', "it's\na%03d[1].tif"];
    const folder = pathOf('names');
    await mkdir(folder);
    await magick(['-size', '20x10', 'xc:red', pathOf('plain.tif')]);
    for (const name of names) {
      await copyFile(pathOf('plain.tif'), join(folder, name));
      const shown = await proxyOf(join(folder, name));
      expect([name, shown.width, shown.height]).toEqual([name, 20, 10]);
    }
    expect((await readdir(folder)).toSorted()).toEqual(names.toSorted());
  });

  it('that are no UTF-8 are opened by their bytes', async () => {
    const folder = pathOf('bytes');
    await mkdir(folder);
    await magick(['-size', '20x10', 'xc:red', pathOf('plain.png')]);
    const bytes = Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9]), Buffer.from('.png')]);
    await copyFile(pathOf('plain.png'), bytes);
    const shown = await proxyOf(`${folder}/caf⟦e9⟧.png`);
    expect([shown.width, shown.height]).toEqual([20, 10]);
  });
});

describe('Documents', () => {
  it('as PDF give their first page', async () => {
    await writeFile(pathOf('page.pdf'), pdfPage());
    const shown = await proxyOf(pathOf('page.pdf'));
    expect([shown.width, shown.height]).toEqual([48, 32]);
    expect(isNear(shown.colour, [0, 153, 0])).toBe(true);
    expect(shown.described).toMatchObject({ kind: 'image', container: 'pdf' });
  });

  it('as a PDF that is none fail for good, in words', async () => {
    await writeFile(pathOf('none.pdf'), 'not a document');
    const words = /pdftoppm cannot read this file/;
    await expect(prepared(pathOf('none.pdf'))).rejects.toMatchObject({
      retry: 'permanent',
      message: expect.stringMatching(words),
    });
  });
});

const hasOffice = (await findTools({ guard, signal: AbortSignal.timeout(20_000) })).office !== null;

describe.skipIf(!hasOffice)(`Office documents${hasOffice ? '' : ' (skipped: soffice is not in PATH)'}`, () => {
  it('give their first page, without asking for what they link to, and nothing is written beside them', async () => {
    asked = [];
    const { port } = server.address() as AddressInfo;
    await magick(['-size', '400x400', 'xc:white', pathOf('secret.png')]);
    const folder = pathOf('office');
    await mkdir(folder);
    const links = [`http://127.0.0.1:${port}/picture.png`, `file://${pathOf('secret.png')}`];
    await writeFile(join(folder, 'Shot list.fodt'), flatText(links));
    const shown = await proxyOf(join(folder, 'Shot list.fodt'));
    expect([shown.width, shown.height]).toEqual([48, 24]);
    expect(isNear(shown.colour, [0, 0, 255], 60), `${shown.colour}`).toBe(true);
    expect(asked).toEqual([]);
    expect(await readdir(folder)).toEqual(['Shot list.fodt']);
  });
});
