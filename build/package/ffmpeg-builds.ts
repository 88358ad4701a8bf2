/** One file of a vendor that holds programs. */
export interface FfmpegArchive {
  /** Zip file; redirects are followed, since only its digest counts. */
  url: string;
  programs: readonly ('ffmpeg' | 'ffprobe')[];
  /**
   * SHA-256 of the file as somebody of this project has looked at it, 64 hex digits; null = nobody has yet. A release takes no
   * other than that.
   */
  sha256: string | null;
  /** Where the vendor publishes the file's SHA-256: tells a damaged download, not a changed one. null = nowhere. */
  checksumUrl: string | null;
}

const RIEDL = 'https://ffmpeg.martin-riedl.de/redirect/latest';
const GYAN = 'https://www.gyan.dev/ffmpeg/builds/ffmpeg-release-essentials.zip';

/** One zip for each program. */
const riedl = (machine: string): FfmpegArchive[] =>
  (['ffmpeg', 'ffprobe'] as const).map((program) => {
    const url = `${RIEDL}/${machine}/release/${program}.zip`;
    return { url, programs: [program], sha256: null, checksumUrl: null };
  });

/**
 * Static builds of the current release, by target (`targetName`). None of the packages of npm has one: they hold builds of 2018,
 * or fetch from elsewhere while they are installed. To pin one: fetch it, look at it, put its own address (with the version, as
 * the vendor's page has it) and its SHA-256 here.
 */
export const FFMPEG_BUILDS: Readonly<Record<string, readonly FfmpegArchive[]>> = {
  'linux-x64': riedl('linux/amd64'),
  'linux-arm64': riedl('linux/arm64'),
  'mac-x64': riedl('macos/amd64'),
  'mac-arm64': riedl('macos/arm64'),
  'win-x64': [{ url: GYAN, programs: ['ffmpeg', 'ffprobe'], sha256: null, checksumUrl: `${GYAN}.sha256` }],
};
