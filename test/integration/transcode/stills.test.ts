import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MediaInfo } from '../../../agent/roles/transcode/ffmpeg/media-info.ts';
import { DEFAULT_PROXY_SETTINGS } from '../../../agent/roles/transcode/ffmpeg/rendition-plan.ts';
import { type Prepared, prepareSource } from '../../../agent/roles/transcode/prepare-source.ts';
import { findTools, NO_TOOLS, type Tools } from '../../../agent/roles/transcode/tools/find-tools.ts';
import { runTool } from '../../../agent/roles/transcode/tools/run-tool.ts';
import { runGenerator } from '../../demo/clips.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';
import { createFfmpegFixture, type FfmpegFixture } from './ffmpeg-fixture.ts';
import { flatText, magick, makeDng, makeHeif, pdfPage, turnByExif } from './still-samples.ts';

const signal = AbortSignal.timeout(600_000);
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

/** Whether a process still runs; one that nobody has asked about its end does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

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
  it('with four inks, 16 bits, a turn in their notes, and a name that tools read as options, keep colours and stand upright', async () => {
    const names = ['-write @msl:"x".tif', "it's\na%03d[1].tif"];
    const folder = pathOf('names');
    await mkdir(folder);
    const look = ['-size', '80x40', 'xc:rgb(200,40,40)', '-depth', '16', '-colorspace', 'CMYK', '-orient', 'RightTop'];
    await magick([...look, pathOf('inks.tif')]);
    for (const name of names) await copyFile(pathOf('inks.tif'), join(folder, name));
    for (const name of isLong ? names : names.slice(0, 1)) {
      const shown = await proxyOf(join(folder, name));
      expect([name, shown.width, shown.height]).toEqual([name, 24, 48]);
      expect(isNear(shown.colour, [200, 40, 40]), shown.colour.join()).toBe(true);
      expect(shown.described).toMatchObject({ kind: 'image', container: 'tif', video: { width: 80, height: 40 } });
    }
    expect((await readdir(folder)).toSorted()).toEqual(names.toSorted());
  });

  it('under names that are no UTF-8 are opened by their bytes; see-through ones lie on white and are not enlarged', async () => {
    const folder = pathOf('bytes');
    await mkdir(folder);
    await magick(['-size', '20x10', 'xc:none', `PNG32:${pathOf('plain.png')}`]);
    const bytes = Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9]), Buffer.from('.png')]);
    await copyFile(pathOf('plain.png'), bytes);
    const shown = await proxyOf(`${folder}/caf⟦e9⟧.png`);
    expect([shown.width, shown.height]).toEqual([20, 10]);
    expect(isNear(shown.colour, [255, 255, 255]), shown.colour.join()).toBe(true);
  });

  it('of HEIF are read by their tool, also under the name of a JPEG', async () => {
    await magick(['-size', '80x40', 'xc:rgb(30,60,200)', `PNG24:${pathOf('phone.png')}`]);
    await makeHeif(pathOf('phone.heic'), pathOf('phone.png'));
    await copyFile(pathOf('phone.heic'), pathOf('heif-called.jpg'));
    for (const name of isLong ? ['heif-called.jpg', 'phone.heic'] : ['heif-called.jpg']) {
      const shown = await proxyOf(pathOf(name));
      expect([shown.width, shown.height], name).toEqual([48, 24]);
      expect(isNear(shown.colour, [30, 60, 200]), `${name}: ${shown.colour.join()}`).toBe(true);
    }
  });

  it('that ask for more pixels than ffmpeg may decode are passed over in words where there is no ImageMagick', async () => {
    const path = pathOf('huge.png');
    await runGenerator(['-f', 'lavfi', '-i', 'color=black:size=64x64', '-frames:v', '1', `file:${path}`], { signal });
    const png = await readFile(path);
    png.writeUInt32BE(14_000, 16);
    png.writeUInt32BE(14_000, 20);
    await writeFile(path, png);
    const made = await prepared(path, NO_TOOLS);
    expect(made).toMatchObject({ kind: 'skipped', warning: expect.stringMatching(/14000 × 14000.*ImageMagick/) });
    if (isLong) await expect(prepared(path)).rejects.toMatchObject({ code: 'media-unreadable' });
  });
});

describe.skipIf(!isLong)(`More stills${onlyLong}`, () => {
  it('of Photoshop and camera raw are read by their tools', async () => {
    await magick(['-size', '80x40', 'xc:rgb(30,60,200)', pathOf('layers.psd')]);
    const shown = await proxyOf(pathOf('layers.psd'));
    expect([shown.width, shown.height]).toEqual([48, 24]);
    expect(isNear(shown.colour, [30, 60, 200]), shown.colour.join()).toBe(true);
    await makeDng(pathOf('sensor.dng'), 128, 96);
    const raw = await proxyOf(pathOf('sensor.dng'));
    expect([raw.width, raw.height]).toEqual([48, 36]);
    expect(raw.described).toMatchObject({ kind: 'image', container: 'dng' });
    expect(raw.colour[0] ?? 0).toBeGreaterThan((raw.colour[2] ?? 0) + 30);
  });

  it('as JPEG with four inks keep their colours, and stand upright by the note in them', async () => {
    await magick(['-size', '80x40', 'xc:rgb(200,40,40)', '-colorspace', 'CMYK', pathOf('inks.jpg')]);
    const inks = await proxyOf(pathOf('inks.jpg'));
    expect(isNear(inks.colour, [200, 40, 40]), inks.colour.join()).toBe(true);
    await magick(['-size', '80x40', 'xc:red', pathOf('turned.jpg')]);
    await turnByExif(pathOf('turned.jpg'));
    const turned = await proxyOf(pathOf('turned.jpg'));
    expect([turned.width, turned.height]).toEqual([24, 48]);
  });

  it('as TIFF of 16 bits are read by ffmpeg alone, too', async () => {
    await magick(['-size', '80x40', 'xc:rgb(200,40,40)', '-depth', '16', pathOf('deep.tif')]);
    const shown = await proxyOf(pathOf('deep.tif'), NO_TOOLS);
    expect(isNear(shown.colour, [200, 40, 40]), shown.colour.join()).toBe(true);
  });

  it('under the name of another kind are read for what they are', async () => {
    await magick(['-size', '80x40', 'xc:red', pathOf('really.jpg')]);
    for (const name of ['jpeg-called.heic', 'jpeg-called.nef', 'jpeg-called.psd', 'jpeg-called.mov']) {
      await copyFile(pathOf('really.jpg'), pathOf(name));
      const shown = await proxyOf(pathOf(name));
      expect([name, shown.width, shown.height]).toEqual([name, 48, 24]);
    }
  });

  it('that are damaged fail for good with the words of their tool', async () => {
    await magick(['-size', '80x40', 'xc:red', pathOf('layers2.psd')]);
    await magick(['-size', '80x40', 'xc:red', `PNG24:${pathOf('phone2.png')}`]);
    await makeHeif(pathOf('phone2.heic'), pathOf('phone2.png'));
    await makeDng(pathOf('sensor2.dng'), 64, 64);
    for (const name of ['layers2.psd', 'phone2.heic', 'sensor2.dng']) {
      const whole = await readFile(pathOf(name));
      await writeFile(pathOf(`cut-${name}`), whole.subarray(0, 60));
      const failure = prepared(pathOf(`cut-${name}`));
      await expect(failure, name).rejects.toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
    }
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

describe('A document', () => {
  it.skipIf(process.platform === 'darwin')('whose name is no UTF-8 is opened by its bytes', async () => {
    const folder = pathOf('odd documents');
    await mkdir(folder);
    await writeFile(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9]), Buffer.from('.pdf')]), pdfPage());
    const shown = await proxyOf(`${folder}/caf⟦e9⟧.pdf`);
    expect([shown.width, shown.height]).toEqual([48, 32]);
  });
});

describe('A tool', () => {
  it('that hangs is ended after its time with all that it started, and the file is told to be at fault', async () => {
    const stuck = pathOf('stuck');
    await writeFile(stuck, '#!/bin/sh\nsleep 600 &\necho $! > child.pid\nwait\n', { mode: 0o755 });
    const dir = pathOf('stuck-job');
    await mkdir(dir);
    const runtime = { guard, signal, dir, limitMs: 500 };
    const failure = runTool(runtime, { tool: { path: stuck, name: 'stuck' }, args: [], path: '/media/a.docx' });
    await expect(failure).rejects.toMatchObject({
      code: 'media-unreadable',
      retry: 'permanent',
      message: expect.stringContaining('stuck'),
    });
    const child = Number(await readFile(join(dir, 'child.pid'), 'utf8'));
    await expect.poll(() => isRunning(child), { timeout: 10_000 }).toBe(false);
  });

  it.skipIf(process.platform !== 'linux')('gets no more memory than any picture needs', async () => {
    const dir = pathOf('memory-job');
    await mkdir(dir);
    const shell = { path: '/bin/sh', name: 'sh' };
    const lines = await runTool({ guard, signal, dir }, { tool: shell, args: ['-c', 'ulimit -v'], path: '' });
    expect(Number(lines[0])).toBeLessThanOrEqual(6 * 1024 * 1024);
  });

  it('sees nothing of the environment of the agent but what programs need', async () => {
    process.env.ISG_PRO_TEST_SECRET = 'token';
    const dir = pathOf('env-job');
    await mkdir(dir);
    const tool = { path: '/usr/bin/env', name: 'env' };
    const lines = await runTool({ guard, signal, dir }, { tool, args: [], path: '' });
    delete process.env.ISG_PRO_TEST_SECRET;
    expect(lines.join('\n')).not.toContain('token');
    expect(lines).toContain(`HOME=${join(dir, 'home')}`);
  });
});

const hasOffice = (await findTools({ guard, signal: AbortSignal.timeout(20_000) })).office !== null;

describe.skipIf(!hasOffice || !isLong)(
  `Office documents${hasOffice ? onlyLong : ' (skipped: soffice is not in PATH)'}`,
  () => {
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
      expect(isNear(shown.colour, [0, 0, 255], 60), shown.colour.join()).toBe(true);
      expect(asked).toEqual([]);
      expect(await readdir(folder)).toEqual(['Shot list.fodt']);
    });
  },
);
