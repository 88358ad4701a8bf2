import { extname } from 'node:path';

/** Extensions that ffmpeg opens with its numbered-sequence reader. */
const STILL_EXTENSIONS = new Set(
  (
    '.jpg .jpeg .png .tif .tiff .bmp .webp .tga .dpx .exr .psd .jp2 .j2k .j2c .jpc .jls .jxl .mpo .jps .pns .phm .pgm .pgmyuv ' +
    '.ppm .pnm .pbm .pam .pfm .sgi .xwd .xbm .xpm .pcx .pct .pict .pic .dds .ras .rs .im1 .im8 .im24 .im32 .sun .sunras .pix ' +
    '.qoi .img .ximg .timg .cin .cri .ptx .txd .vbn .xface .svg .svgz .y'
  ).split(' '),
);

/**
 * Most pixels of a picture that ffmpeg decodes: twelve times 4K UHD and more than any camera's, so that a header of a few
 * bytes cannot ask for all memory of the machine.
 */
export const MAX_PIXELS = 120_000_000;
/** Largest piece of memory that ffmpeg and ffprobe may ask for at once: a picture of `MAX_PIXELS` with 8 bytes per pixel. */
export const MAX_ALLOC_BYTES = 1_073_741_824;

/**
 * Options and address by which ffmpeg and ffprobe open a local file whatever its name: `file:` keeps a colon from being
 * read as a protocol and a leading dash from being read as an option; a percent sign in the name of a still is not a
 * number pattern. Only local files may be opened, because a playlist in disguise could name any address.
 */
export function mediaSource(path: string): { options: string[]; address: string } {
  const extension = extname(path).toLowerCase();
  const literal = path.includes('%') && STILL_EXTENSIONS.has(extension);
  const still = literal ? ['-f', 'image2', '-pattern_type', 'none'] : [];
  return { options: ['-protocol_whitelist', 'file', ...still], address: `file:${path}` };
}
