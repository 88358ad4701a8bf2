import { describe, expect, it } from 'vitest';
import { assertNoReadError, ffmpegError } from '../../../agent/roles/transcode/ffmpeg/ffmpeg-errors.ts';
import { createLineSplitter, createLineTail } from '../../../agent/roles/transcode/ffmpeg/output-tail.ts';

const RUN = { program: 'ffmpeg' as const, path: '/mnt/a.mp4', exitCode: 1, signalName: null };

describe('ffmpegError', () => {
  it('says why a damaged clip cannot be read, without addresses and paths', () => {
    const lines = [
      '[mov,mp4 @ 0x55d0c0ffee] moov atom not found',
      'file:/mnt/a.mp4: Invalid data found when processing input',
    ];
    const error = ffmpegError({ ...RUN, lines });
    expect(error).toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
    expect(error.message).toContain('[mov,mp4] moov atom not found; Invalid data found when processing input');
    expect(error.message).not.toMatch(/0x55|\/mnt/);
  });

  it.each([
    ['No space left on device', 'disk-full'],
    ['file:/mnt/a.mp4: Input/output error', 'storage-unavailable'],
    ['file:/mnt/a.mp4: Stale file handle', 'storage-unavailable'],
    ['file:/mnt/a.mp4: Permission denied', 'file-unreadable'],
    ['Cannot allocate memory', 'ffmpeg-failed'],
    ["Unknown encoder 'libx264'", 'ffmpeg-missing'],
    ['something nobody has seen before', 'ffmpeg-failed'],
  ])('takes "%s" for transient: %s', (line, code) => {
    expect(ffmpegError({ ...RUN, lines: [line] })).toMatchObject({ code, retry: 'transient' });
  });

  it('does not blame the storage for a damaged Matroska file', () => {
    const lines = ['[matroska,webm @ 0x5] File ended prematurely', 'file:/mnt/a.mkv: Input/output error'];
    const error = ffmpegError({ ...RUN, path: '/mnt/a.mkv', lines });
    expect(error).toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
    expect(error.message).not.toMatch(/storage/i);
    expect(() => assertNoReadError({ ...RUN, path: '/mnt/a.mkv', lines })).not.toThrow();
  });

  it('leaves open whose fault a read error is that nothing else explains', () => {
    const error = ffmpegError({ ...RUN, lines: ['file:/mnt/a.mp4: Input/output error'] });
    expect(error.message).toMatch(/storage .* or the file is damaged/);
  });

  it.each(['Input/output error.mp4', 'No space left on device/a.mp4', 'Unknown encoder.mov'])(
    'does not take the name of a file for a reason: %s',
    (name) => {
      const path = `/mnt/${name}`;
      const lines = [`file:${path}: Invalid data found when processing input`, `${path}: error while decoding`];
      expect(ffmpegError({ ...RUN, path, lines })).toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
      expect(() => assertNoReadError({ ...RUN, path, lines })).not.toThrow();
    },
  );

  it('holds what a file refers to against the file, not against ffmpeg or the rights of this node', () => {
    for (const line of ["[concat @ 0x5] Unsafe file name '/etc/passwd'", 'foo://a/b: Protocol not found']) {
      const lines = [line, 'file:/mnt/a.mp4: Operation not permitted'];
      expect(ffmpegError({ ...RUN, lines })).toMatchObject({ code: 'media-unreadable', retry: 'permanent' });
    }
  });

  it('blames the disk and the storage before the clip', () => {
    const lines = [
      'Error while decoding stream #0:0: Invalid data found',
      'av_interleaved_write_frame(): No space left on device',
    ];
    expect(ffmpegError({ ...RUN, lines }).code).toBe('disk-full');
  });

  it('takes a kill by someone else for transient whatever was said', () => {
    const error = ffmpegError({ ...RUN, exitCode: null, signalName: 'SIGKILL', lines: ['Invalid data found'] });
    expect(error).toMatchObject({ code: 'ffmpeg-failed', retry: 'transient' });
    expect(error.message).toContain('SIGKILL');
  });
});

describe('assertNoReadError', () => {
  it('refuses a success during which the storage failed', () => {
    const read = { program: 'ffmpeg' as const, path: '/mnt/a.mp4' };
    expect(() => assertNoReadError({ ...read, lines: ['file:/mnt/a.mp4: Input/output error'] })).toThrow(/storage/);
    expect(() => assertNoReadError({ ...read, lines: ['error while decoding MB 3 4'] })).not.toThrow();
  });
});

describe('output of children', () => {
  it('is bounded: long lines are cut, old ones dropped', () => {
    const tail = createLineTail(3);
    const splitter = createLineSplitter((line) => tail.push(line));
    for (let index = 0; index < 100; index += 1) splitter.push('x'.repeat(10_000));
    splitter.push('\none\rtwo\r\nthree');
    splitter.end();
    expect(tail.lines()).toEqual(['one', 'two', 'three']);
  });
});
