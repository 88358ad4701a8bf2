import { extname } from 'node:path';

/** Extensions of things iconik stores but nobody watches: skipped without asking ffprobe, which takes some for media. */
const DOCUMENTS = new Set(
  (
    '.pdf .txt .xml .json .csv .doc .docx .xls .xlsx .ppt .pptx .rtf .html .htm .md .log .srt .vtt .stl .scc .edl .ale .aaf ' +
    '.otf .ttf .zip .rar .7z .tar .gz .db .ini .yml .yaml .prproj .aep .drp .fcpxml .svg .m3u8 .m3u .mpd .sdp .xmp'
  ).split(' '),
);

/** Extensions that promise media: what cannot be read under such a name is damaged, not foreign. */
const MEDIA = new Set(
  (
    '.mov .mp4 .m4v .mxf .avi .mkv .webm .mpg .mpeg .m2v .m2t .m2ts .mts .vob .wmv .asf .flv .f4v .3gp .3g2 .ogv .dv .gxf ' +
    '.r3d .braw .wav .bwf .aif .aiff .mp3 .m4a .aac .ac3 .flac .ogg .oga .opus .wma .mka .caf .amr ' +
    '.jpg .jpeg .png .tif .tiff .bmp .gif .webp .tga .dpx .exr .psd .jp2 .heic .avif'
  ).split(' '),
);

/** What a name promises. `unknown` = only a look inside can tell. */
export function promiseOfName(path: string): 'document' | 'media' | 'unknown' {
  const extension = extname(path).toLowerCase();
  if (DOCUMENTS.has(extension)) return 'document';
  return MEDIA.has(extension) ? 'media' : 'unknown';
}
