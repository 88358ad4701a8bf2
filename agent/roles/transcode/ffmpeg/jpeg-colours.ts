import type { VideoTrack } from './media-info.ts';
import { isRgb, shownSize } from './rendition-plan.ts';
import { colourKindOf, type ToneMapping } from './tone-mapping.ts';

// A JPEG tells no matrix: whoever reads one takes it for that of BT.601, and HD has another. ffmpeg leaves the numbers as
// they are, so that red of an HD clip would come out darker and off its hue. Pure.

/** The filter's names of matrices by those of ffprobe. */
const MATRICES: Readonly<Record<string, string>> = {
  bt709: 'bt709',
  smpte170m: 'bt601',
  bt470bg: 'bt601',
  fcc: 'fcc',
  smpte240m: 'smpte240m',
  bt2020nc: 'bt2020',
  bt2020c: 'bt2020',
};

/** What is larger than PAL and says nothing has the matrix of HD, as players take it. */
const LARGEST_SD = { width: 1024, height: 576 };

function matrixOf(track: VideoTrack): string {
  const said = MATRICES[track.colour.matrix ?? ''];
  if (said !== undefined) return said;
  const { width, height } = shownSize(track);
  return Math.max(width, height) > LARGEST_SD.width || Math.min(width, height) > LARGEST_SD.height ? 'bt709' : 'bt601';
}

/**
 * Filters that end a JPEG of a moving picture, after `videoFilters` (which make BT.709 of RGB and of what is mapped). By way of
 * RGB, because older programs do not change the matrix otherwise.
 */
export function jpegFilters(track: VideoTrack, toneMapping: ToneMapping | null = null): string {
  const isMapped = toneMapping !== null && colourKindOf(track) !== 'sdr';
  const matrix = isMapped || isRgb(track) ? 'bt709' : matrixOf(track);
  return `scale=in_color_matrix=${matrix},format=gbrp,scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p`;
}
