import { describe, expect, it } from 'vitest';
import { jpegFilters } from '../../../agent/roles/transcode/ffmpeg/jpeg-colours.ts';
import { DEFAULT_TONE_MAPPING } from '../../../agent/roles/transcode/ffmpeg/tone-mapping.ts';
import { videoTrack as HD } from './video-track.ts';

const SILENT = { transfer: null, primaries: null, matrix: null, range: null };
const PQ = { ...HD, colour: { transfer: 'smpte2084', primaries: 'bt2020', matrix: 'bt2020nc', range: 'tv' } };
const from = (filters: string) => /in_color_matrix=(\w+)/.exec(filters)?.[1];

describe('The matrix that a JPEG is made from', () => {
  it('is what the clip says', () => {
    expect(from(jpegFilters(HD))).toBe('bt709');
    expect(from(jpegFilters({ ...HD, colour: { ...SILENT, matrix: 'bt470bg' } }))).toBe('bt601');
    expect(from(jpegFilters(PQ))).toBe('bt2020');
  });

  it('of a clip that says nothing goes by its size, whichever way it stands', () => {
    const silent = { ...HD, colour: SILENT };
    expect(from(jpegFilters(silent))).toBe('bt709');
    expect(from(jpegFilters({ ...silent, width: 404, height: 720, rotation: 0 }))).toBe('bt601');
    expect(from(jpegFilters({ ...silent, width: 720, height: 1280 }))).toBe('bt709');
    expect(from(jpegFilters({ ...silent, width: 720, height: 576, pixelAspect: 64 / 45 }))).toBe('bt601');
  });

  it('is that of HD for RGB and for what was mapped to SDR', () => {
    expect(from(jpegFilters({ ...HD, pixelFormat: 'gbrp', width: 64, height: 64, colour: SILENT }))).toBe('bt709');
    expect(from(jpegFilters(PQ, DEFAULT_TONE_MAPPING))).toBe('bt709');
  });
});
