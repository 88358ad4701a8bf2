import { describe, expect, it } from 'vitest';
import {
  colourKindOf,
  DEFAULT_TONE_MAPPING,
  toneMappingFilters,
} from '../../../agent/roles/transcode/ffmpeg/tone-mapping.ts';
import { videoTrack } from './video-track.ts';

const colour = (transfer: string | null, primaries: string | null, matrix: string | null = null) => ({
  ...videoTrack,
  colour: { transfer, primaries, matrix, range: null },
});
const PQ = colour('smpte2084', 'bt2020', 'bt2020nc');

describe('colours', () => {
  it('are told by what the file says', () => {
    expect(colourKindOf(PQ)).toBe('pq');
    expect(colourKindOf(colour('arib-std-b67', null))).toBe('hlg');
    expect(colourKindOf(colour('bt2020-10', 'bt2020'))).toBe('wide');
    expect(colourKindOf(colour('bt709', 'bt709'))).toBe('sdr');
    expect(colourKindOf(colour(null, null))).toBe('sdr');
  });

  it('of SDR are left alone', () => {
    expect(toneMappingFilters(videoTrack, DEFAULT_TONE_MAPPING)).toEqual([]);
  });

  it('of HDR go through linear light to BT.709, with the input said outright', () => {
    const chain = toneMappingFilters(PQ, DEFAULT_TONE_MAPPING).join(',');
    expect(chain).toBe(
      'zscale=tin=smpte2084:pin=2020:min=2020_ncl:rin=limited:t=linear:npl=100,format=gbrpf32le,zscale=p=709,' +
        'tonemap=tonemap=hable:desat=0,zscale=t=709:m=709:r=limited,format=yuv420p',
    );
    expect(toneMappingFilters({ ...PQ, pixelFormat: 'gbrp12le' }, DEFAULT_TONE_MAPPING)[0]).toContain(
      'min=gbr:rin=full',
    );
  });

  it('of BT.2020 in SDR are converted without tone mapping', () => {
    expect(toneMappingFilters(colour('bt2020-10', 'bt2020'), DEFAULT_TONE_MAPPING)).toEqual([
      'zscale=tin=2020_10:pin=2020:min=2020_ncl:rin=limited:p=709:t=709:m=709:r=limited',
      'format=yuv420p',
    ]);
  });

  it('are adjusted by the numbers of a transcoder, with a gamma that ffmpeg takes', () => {
    const mapping = { brightness: 0.1, contrast: 1.2, gamma: 0, saturation: 0.9, desaturation: 2, peak: 10 };
    const chain = toneMappingFilters(PQ, mapping).join(',');
    expect(chain).toContain('tonemap=tonemap=hable:desat=2:peak=10');
    expect(chain).toContain('eq=brightness=0.1:contrast=1.2:gamma=0.1:saturation=0.9');
  });
});
