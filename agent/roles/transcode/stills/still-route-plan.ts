import { extname } from 'node:path';
import type { MediaInfo } from '../ffmpeg/media-info.ts';
import { MAX_PIXELS } from '../ffmpeg/media-source.ts';
import type { ToolKind } from '../tools/find-tools.ts';

// Which program reads an original: ffmpeg whatever it reads right, other tools the rest. Pure.

const words = (text: string) => new Set(text.split(' '));

/** Raw data of camera sensors: ffmpeg takes many for TIFF and shows the small preview in them, or a grey grid. */
const CAMERA_RAW = words(
  '.3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 .srf .srw .x3f',
);
const HEIF = words('.heic .heif .hif .avif');
/** Names under which telephones and their programs hand out HEIF pictures. */
const OFTEN_HEIF = words('.jpg .jpeg .png');
const OFFICE = words(
  '.doc .docx .odt .rtf .fodt .ppt .pptx .odp .fodp .xls .xlsx .ods .fods .odg .vsd .vsdx .pages .key .numbers',
);
/** Sensor data of cinema cameras, which only their makers' programs read. */
const MAKERS_OWN = words('.r3d .braw .crm .ari .arx');

/** ImageMagick's name of a format by ffmpeg's name of the codec, and by extension where ffmpeg knows nothing of the file. */
const CODER_OF_CODEC: Record<string, string> = {
  tiff: 'TIFF',
  psd: 'PSD',
  mjpeg: 'JPEG',
  png: 'PNG',
  jpeg2000: 'JP2',
  dpx: 'DPX',
  exr: 'EXR',
  targa: 'TGA',
  bmp: 'BMP',
  webp: 'WEBP',
};
const CODER_OF_EXTENSION: Record<string, string> = {
  '.psd': 'PSD',
  '.psb': 'PSB',
  '.tif': 'TIFF',
  '.tiff': 'TIFF',
  '.jp2': 'JP2',
  '.exr': 'EXR',
  '.dpx': 'DPX',
};

/** What ffprobe made of a file. */
export type ProbeVerdict = { kind: 'read'; info: MediaInfo } | { kind: 'unreadable'; reason: string };

/** Who reads an original. The tools of `by` are tried in their order; the first that this node has is taken. */
export type Route =
  | { kind: 'ffmpeg'; info: MediaInfo }
  | {
      kind: 'convert';
      by: readonly ToolKind[];
      /** ImageMagick's name of the format; '' where it is not asked. */
      coder: string;
      /** What it is, for people. */
      what: string;
      /** ffmpeg's view, used when no tool is there but ffmpeg shows something; null = then the file is passed over. */
      fallback: MediaInfo | null;
    }
  | { kind: 'not-media' }
  | { kind: 'passed-over'; warning: string }
  | { kind: 'unreadable' };

/** What the name alone says: these are not shown to ffprobe. null = ask ffprobe. */
export function routeByName(path: string): Route | null {
  const extension = extname(path).toLowerCase();
  if (extension === '.pdf') return { kind: 'convert', by: ['pdf'], coder: '', what: 'A PDF', fallback: null };
  if (OFFICE.has(extension)) {
    return { kind: 'convert', by: ['office'], coder: '', what: 'An Office document', fallback: null };
  }
  return null;
}

const isStillJpegOrPng = (info: MediaInfo) =>
  info.kind === 'image' && ['mjpeg', 'png'].includes(info.video?.codec ?? '');

/** Four inks in a JPEG: ffmpeg shows them, but not in the right colours. */
function isFourInks(info: MediaInfo): boolean {
  return info.video?.codec === 'mjpeg' && /^(?:yuva|gbrap|cmyk)/.test(info.video.pixelFormat ?? '');
}

function routeOfStill(info: MediaInfo): Route {
  const { video } = info;
  if (!video) return { kind: 'not-media' };
  const isTooLarge = video.width * video.height > MAX_PIXELS;
  // ffmpeg neither turns a TIFF as its notes say, nor reads four inks, layers and all depths of TIFF and PSD.
  const isBetterElsewhere = video.codec === 'tiff' || video.codec === 'psd' || isFourInks(info);
  const coder = CODER_OF_CODEC[video.codec];
  if (coder === undefined || !(isTooLarge || isBetterElsewhere)) return { kind: 'ffmpeg', info };
  const what = isTooLarge ? `A picture of ${video.width} × ${video.height} pixels` : 'A picture of this kind';
  return { kind: 'convert', by: ['imagemagick'], coder, what, fallback: isTooLarge ? null : info };
}

function routeOfUnreadable(path: string): Route {
  const extension = extname(path).toLowerCase();
  if (MAKERS_OWN.has(extension)) {
    const warning = `Only the camera maker's own program reads ${extension.slice(1).toUpperCase()} files: link a watch-folder transcoder to the storage. Nothing was made.`;
    return { kind: 'passed-over', warning };
  }
  const coder = CODER_OF_EXTENSION[extension];
  if (coder === undefined) return { kind: 'unreadable' };
  return {
    kind: 'convert',
    by: ['imagemagick'],
    coder,
    what: `A ${extension.slice(1).toUpperCase()} like this`,
    fallback: null,
  };
}

/** ffmpeg before 7.1 takes HEIF for an MP4 without its index. */
function looksLikeHeif(extension: string, reason: string): boolean {
  return HEIF.has(extension) || (OFTEN_HEIF.has(extension) && reason.includes('moov atom not found'));
}

/** Who reads the original, from its name and from what ffprobe made of it. */
export function routeOf(path: string, verdict: ProbeVerdict): Route {
  const extension = extname(path).toLowerCase();
  const info = verdict.kind === 'read' ? verdict.info : null;
  if (CAMERA_RAW.has(extension) && !(info && isStillJpegOrPng(info))) {
    return { kind: 'convert', by: ['raw'], coder: '', what: 'Camera raw', fallback: null };
  }
  const isHeif = verdict.kind === 'read' ? verdict.info.isHeif === true : looksLikeHeif(extension, verdict.reason);
  if (isHeif || (info?.kind === 'none' && HEIF.has(extension))) {
    return { kind: 'convert', by: ['heif', 'imagemagick'], coder: 'HEIC', what: 'A HEIF picture', fallback: null };
  }
  if (info === null) return routeOfUnreadable(path);
  if (info.kind === 'none') return { kind: 'not-media' };
  return info.kind === 'image' ? routeOfStill(info) : { kind: 'ffmpeg', info };
}
