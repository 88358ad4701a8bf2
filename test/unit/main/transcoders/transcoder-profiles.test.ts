import { describe, expect, it } from 'vitest';
import type { Transcoder } from '../../../../agent/iconik/api.ts';
import { createProfileOf } from '../../../../agent/roles/main/transcoders/transcoder-plan.ts';
import { createTranscoderProfiles } from '../../../../agent/roles/main/transcoders/transcoder-profiles.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';
import { createManualClock } from '../../iconik/manual-clock.ts';

const transcoder = (id: string, type: string, settings: Partial<Transcoder['settings']> = {}): Transcoder => ({
  id,
  name: id,
  type,
  settings: { local: true, priority: 5, include_patterns: [], exclude_patterns: [], ...settings },
});
const profiles = (transcoders: Transcoder[], ...paths: string[]) => paths.map(createProfileOf(transcoders));

describe('the profile of a file', () => {
  it('is the transcoder for its sort: pictures go to ImageMagick, all else does not', () => {
    const both = [transcoder('im', 'IMAGEMAGICK'), transcoder('ff', 'FFMPEG')];
    expect(profiles(both, 'a.mov', 'a/b.JPG', 'noext')).toEqual(['ff', 'im', 'ff']);
    expect(profiles([transcoder('ff', 'FFMPEG')], 'b.jpg')).toEqual(['ff']);
    expect(profiles([transcoder('im', 'IMAGEMAGICK')], 'a.mov')).toEqual(['']);
  });

  it('follows include and exclude patterns', () => {
    const list = [
      transcoder('red', 'REDLINE', { include_patterns: ['*.r3d'], priority: 9 }),
      transcoder('ff', 'FFMPEG', { exclude_patterns: ['*.braw'] }),
    ];
    expect(profiles(list, 'day1/a.r3d', 'day1/a.mov', 'day1/a.braw')).toEqual(['red', 'ff', '']);
  });

  it('is the larger priority, then the smaller id, whatever the order iconik lists them in', () => {
    const list = [
      transcoder('b', 'FFMPEG', { priority: 3 }),
      transcoder('c', 'FFMPEG', { priority: 7 }),
      transcoder('a', 'VANTAGE', { priority: 7 }),
    ];
    expect(profiles(list, 'x.mov')).toEqual(['a']);
    expect(profiles(list.toReversed(), 'x.mov')).toEqual(['a']);
  });

  it('is none of a cloud transcoder, of one for edit proxies, or of a storage without transcoders', () => {
    const cloud = transcoder('cloud', 'ENCODING_COM', { local: false });
    expect(profiles([cloud, transcoder('edit', 'EDIT_PROXY')], 'x.mov')).toEqual(['']);
    expect(profiles([], 'x.mov')).toEqual(['']);
  });
});

describe('the transcoders of a storage', () => {
  const bench = () => {
    const clock = createManualClock();
    const asked: string[] = [];
    let answer = async () => [transcoder('one', 'FFMPEG')];
    const read = createTranscoderProfiles({
      iconik: {
        storages: {
          transcoders: (storageId) => {
            asked.push(storageId);
            return answer();
          },
        },
      },
      clock,
      log: silentLogger,
    });
    const profile = async (signal = new AbortController().signal) => (await read.ofStorage('nas', signal))('x.mov');
    return { clock, asked, profile, read, answerWith: (next: typeof answer) => (answer = next) };
  };

  it('are read once for many files at once, and anew after a minute', async () => {
    const { clock, asked, profile, answerWith } = bench();
    expect(await Promise.all([profile(), profile(), profile()])).toEqual(['one', 'one', 'one']);
    answerWith(async () => [transcoder('two', 'FFMPEG')]);
    expect(await profile()).toBe('one');
    expect(asked).toHaveLength(1);
    await clock.advance(60_000);
    expect(await profile()).toBe('two');
  });

  it('stay as last read while iconik does not answer, and are none before the first answer', async () => {
    const { clock, asked, profile, answerWith } = bench();
    const good = async () => [transcoder('one', 'FFMPEG')];
    const away = () => Promise.reject(new Error('iconik is away'));
    answerWith(away);
    expect(await profile()).toBe('');
    expect(await profile()).toBe('');
    expect(asked).toHaveLength(1);
    answerWith(good);
    await clock.advance(15_000);
    expect(await profile()).toBe('one');
    answerWith(away);
    await clock.advance(60_000);
    expect(await profile()).toBe('one');
  });

  it('are told for a file, whole, and null where none takes it', async () => {
    const { read, answerWith, clock } = bench();
    const { signal } = new AbortController();
    expect(await read.ofFile({ storageId: 'nas', path: 'x.mov' }, signal)).toEqual(transcoder('one', 'FFMPEG'));
    answerWith(async () => []);
    await clock.advance(60_000);
    expect(await read.ofFile({ storageId: 'nas', path: 'x.mov' }, signal)).toBeNull();
  });

  it('that nobody waits for any more are read again by the next who asks', async () => {
    const { asked, profile, answerWith } = bench();
    answerWith(() => Promise.reject(new Error('given up')));
    expect(await profile(AbortSignal.abort())).toBe('');
    answerWith(async () => [transcoder('one', 'FFMPEG')]);
    expect(await profile()).toBe('one');
    expect(asked).toHaveLength(2);
  });
});
