import { extname } from 'node:path';
import type { Transcoder } from '../../../iconik/api.ts';
import { compilePatterns } from '../../../storage/ignore-patterns.ts';

// Neither an order nor an event names a transcoder (reference C.12): iconik links transcoders to a storage, and each says
// which files are its own (reference A.7). The one chosen here is the profile whose slots a job counts against.

/** The profile of a file; '' when no transcoder of the storage takes it. */
export type ProfileOf = (path: string) => string;

/** Extensions of still pictures: ImageMagick's, where a storage has one. */
const PICTURES = new Set('.jpg .jpeg .png .tif .tiff .bmp .gif .webp .tga .dpx .exr .psd .jp2 .heic .avif'.split(' '));

/** Types that make something else than a web proxy. */
const OTHER_WORK = new Set(['EDIT_PROXY', 'LIBREOFFICE']);

const byPriority = (a: Transcoder, b: Transcoder): number =>
  b.settings.priority - a.settings.priority || (a.id < b.id ? -1 : 1);

/**
 * Says which transcoder takes a file: a local one that makes web proxies, whose include patterns (if any) name the file and
 * whose exclude patterns do not; pictures go to ImageMagick when there is one for them and to nobody else then, all other
 * files never. Among several the larger priority, then the smaller id: every node comes to the same answer.
 */
export function createProfileOf(transcoders: readonly Transcoder[]): ProfileOf {
  const candidates = transcoders
    .filter(({ type, settings }) => settings.local && !OTHER_WORK.has(type))
    .toSorted(byPriority)
    .map(({ id, type, settings }) => {
      const include = settings.include_patterns.filter((pattern) => pattern.trim() !== '');
      const included = compilePatterns(include).list;
      const excluded = compilePatterns(settings.exclude_patterns).list;
      return {
        id,
        isForPictures: type === 'IMAGEMAGICK',
        takes: (path: string) => (include.length === 0 || included.matches(path)) && !excluded.matches(path),
      };
    });
  return (path) => {
    const able = candidates.filter(({ takes }) => takes(path));
    const isPicture = PICTURES.has(extname(path).toLowerCase());
    const chosen =
      able.find(({ isForPictures }) => isForPictures === isPicture) ??
      (isPicture ? able.find(({ isForPictures }) => !isForPictures) : undefined);
    return chosen?.id ?? '';
  };
}
