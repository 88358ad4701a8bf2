import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runGenerator } from '../../demo/clips.ts';
import { createTranscodeFixture, type TranscodeFixture } from './transcode-fixture.ts';

let fixture: TranscodeFixture;

beforeAll(async () => {
  fixture = await createTranscodeFixture();
});

afterAll(() => fixture.close());

/** Frames 1001 to 1050 of a moving picture, in a folder whose name is a number pattern. */
async function makeFrames(folder: string, extension: string): Promise<void> {
  const dir = join(fixture.mountPoint, folder);
  await mkdir(dir, { recursive: true });
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=25:duration=2'];
  // The program that makes them takes the whole path for a pattern: a percent sign is written twice.
  const target = `${dir.replaceAll('%', '%%')}/shot.%04d.${extension}`;
  await runGenerator([...source, '-start_number', '1001', `file:${target}`]);
}

async function orderFrames(path: string, folder: string, type: 'MANY_FILES' | 'REGULAR') {
  const payload = await fixture.order(path, { frameRate: '25' });
  const set = await fixture.api.files.createFileSet(payload.assetId, {
    format_id: payload.formatId,
    storage_id: payload.storageId,
    base_dir: folder,
    name: folder,
    component_ids: [],
    type,
  });
  return { ...payload, fileSetId: set.id };
}

describe('An image sequence', () => {
  it('becomes one clip of its frame rate; a gap keeps its time and is told on the job', async () => {
    await makeFrames('reel 100%d', 'dpx');
    await rm(join(fixture.mountPoint, 'reel 100%d/shot.1010.dpx'));
    const payload = await orderFrames('reel 100%d/shot.1001.dpx', 'reel 100%d', 'MANY_FILES');
    const outcome = await fixture.run(payload);
    expect(outcome).toMatchObject({
      kind: 'done',
      result: { media: 'video', durationSeconds: 2, warning: expect.stringContaining('1 of 50 frames') },
    });
    const proxies = fixture.standIn.state().proxies.filter((row) => row.asset_id === payload.assetId);
    expect(proxies).toMatchObject([
      { format: 'mp4', codec: 'h264', frame_rate: '25', resolution: { width: 160, height: 90 } },
    ]);
  });

  it('is a still where the file set holds one file', async () => {
    await makeFrames('stills', 'tif');
    const payload = await orderFrames('stills/shot.1003.tif', 'stills', 'REGULAR');
    expect(await fixture.run(payload)).toMatchObject({ kind: 'done', result: { media: 'image' } });
  });
});
