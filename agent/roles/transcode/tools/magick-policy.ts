import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

// ImageMagick reads some hundred formats, among them programs (MVG, MSL), addresses (HTTPS, FTP), documents that run other
// programs (PS, PDF), and lists of other files. What is not named here is refused, whatever a file says that it is.

/** Readers and writers that pictures need. */
const CODERS = 'PSD PSB TIFF TIFF64 JPEG JPG PNG PNG24 PNG32 HEIC AVIF JP2 J2K JPC DPX EXR TGA BMP GIF WEBP';

/** Largest side, and most memory: beyond it pixels go to the disk, beyond that the picture is refused. */
const LIMITS: Record<string, string> = {
  width: '128KP',
  height: '128KP',
  area: '128MP',
  memory: '512MiB',
  map: '1GiB',
  disk: '8GiB',
  'list-length': '64',
  time: '180',
  thread: '2',
};

function policyText(): string {
  const limits = Object.entries(LIMITS).map(
    ([name, value]) => `  <policy domain="resource" name="${name}" value="${value}"/>`,
  );
  const coders = CODERS.split(' ').map(
    (coder) => `  <policy domain="coder" rights="read | write" pattern="${coder}"/>`,
  );
  return [
    '<policymap>',
    ...limits,
    '  <policy domain="delegate" rights="none" pattern="*"/>',
    '  <policy domain="filter" rights="none" pattern="*"/>',
    '  <policy domain="path" rights="none" pattern="@*"/>',
    '  <policy domain="coder" rights="none" pattern="*"/>',
    ...coders,
    '  <policy domain="coder" rights="write" pattern="{INFO,NULL}"/>',
    '</policymap>',
    '',
  ].join('\n');
}

/** Writes the policy into a folder that MAGICK_CONFIGURE_PATH names. */
export async function writeMagickPolicy(folder: string): Promise<void> {
  await writeFile(join(folder, 'policy.xml'), policyText());
}
