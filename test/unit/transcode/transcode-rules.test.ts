import { describe, expect, it } from 'vitest';
import { mediaSource } from '../../../agent/roles/transcode/ffmpeg/media-source.ts';
import { promiseOfName } from '../../../agent/roles/transcode/media-names.ts';
import { resumeCheckpoint } from '../../../agent/roles/transcode/transcode-checkpoint.ts';

describe('promiseOfName', () => {
  it('tells documents, media and what must be looked into', () => {
    expect(promiseOfName('a/Notes.TXT')).toBe('document');
    expect(promiseOfName('a/b.xml')).toBe('document');
    expect(promiseOfName('a/Clip.MOV')).toBe('media');
    expect(promiseOfName('a/data.bin')).toBe('unknown');
    expect(promiseOfName('a/no-extension')).toBe('unknown');
  });
});

describe('mediaSource', () => {
  it('opens local files only, by their literal name', () => {
    expect(mediaSource('/m/-x:y.mov')).toEqual({
      options: ['-protocol_whitelist', 'file'],
      address: 'file:/m/-x:y.mov',
    });
    for (const extension of ['png', 'jp2', 'pgm', 'sgi', 'CIN'])
      expect(mediaSource(`/m/shot%03d.${extension}`).options, extension).toContain('-pattern_type');
    expect(mediaSource('/m/50%.mov').options).not.toContain('-pattern_type');
  });
});

describe('resumeCheckpoint', () => {
  const source = { sizeBytes: 10, mtimeNs: '5' };
  const saved = { source, finished: { 'a.mp4': 'id' }, upload: null };

  it('goes on where the same original was left', () => {
    expect(resumeCheckpoint(saved, source)).toEqual(saved);
  });

  it('starts anew for a changed original and for what it cannot read', () => {
    const fresh = { source: { sizeBytes: 11, mtimeNs: '5' }, finished: {}, upload: null };
    expect(resumeCheckpoint(saved, fresh.source)).toEqual(fresh);
    const unfinished = { filename: 'a.mp4', xxh128: 'x', value: { uploadId: 'u' } };
    const kept = resumeCheckpoint({ ...saved, upload: unfinished }, fresh.source);
    expect(kept, 'kept, so that it can be dropped at the store').toEqual({ ...fresh, upload: unfinished });
    expect(resumeCheckpoint({ strange: true }, fresh.source)).toEqual(fresh);
    expect(resumeCheckpoint(null, fresh.source)).toEqual(fresh);
  });
});
