import { z } from 'zod';
import type { PackageTarget } from './target.ts';

/** What installed applications find new versions by: electron-builder's latest*.yml beside the installers. Pure. */

const feedSchema = z.looseObject({
  version: z.string(),
  files: z.array(z.looseObject({ url: z.string(), sha512: z.string() })),
});
/** One latest*.yml. */
export type FeedFile = z.infer<typeof feedSchema>;

const appUpdateSchema = z.looseObject({
  provider: z.literal('generic'),
  publisherName: z.union([z.string(), z.array(z.string())]).optional(),
});

/** Endings of the installers that updates are taken from. */
const UPDATED_FROM = { linux: ['.AppImage', '.deb'], darwin: ['.zip'], win32: ['.exe'] } as const;

/** Name of the file that electron-updater asks for on that machine. */
export function feedFileName({ platform, arch }: PackageTarget): string {
  if (platform === 'win32') return 'latest.yml';
  if (platform === 'darwin') return 'latest-mac.yml';
  return arch === 'x64' ? 'latest-linux.yml' : `latest-linux-${arch}.yml`;
}

/** Reads a parsed latest*.yml; null when it is none. */
export function readFeed(parsed: unknown): FeedFile | null {
  return feedSchema.safeParse(parsed).data ?? null;
}

/**
 * One file of all: electron-builder overwrites the one of the kind before. Of a file named twice the later digest counts.
 * Those of another version than the last are left out, and files that are no longer there (`isThere`).
 */
export function mergeFeeds(feeds: readonly FeedFile[], isThere: (url: string) => boolean): FeedFile | null {
  const newest = feeds.at(-1);
  if (newest === undefined) return null;
  const files = new Map<string, FeedFile['files'][number]>();
  for (const { version, files: some } of feeds) {
    if (version === newest.version) for (const file of some) files.set(file.url, file);
  }
  return { ...newest, files: [...files.values()].filter(({ url }) => isThere(url)) };
}

/** What would keep installed applications from updating themselves, in words; the feed is looked at in a release only. */
export function feedProblems(
  { platform, arch }: PackageTarget,
  found: { appUpdate: unknown; feed: FeedFile | null; isRelease: boolean },
): string[] {
  const appUpdate = appUpdateSchema.safeParse(found.appUpdate).data;
  if (appUpdate === undefined)
    return ['resources/app-update.yml is missing or no generic feed: no update can be fetched.'];
  const problems: string[] = [];
  if (platform === 'win32' && found.isRelease && !appUpdate.publisherName?.length)
    problems.push('resources/app-update.yml names no publisherName: any signature would do for an update.');
  if (!found.isRelease) return problems;
  const urls = found.feed?.files.map(({ url }) => url) ?? [];
  const missing = UPDATED_FROM[platform].filter(
    (ending) => !urls.some((url) => url.endsWith(ending) && (platform !== 'darwin' || url.includes(arch))),
  );
  return [
    ...problems,
    ...missing.map((ending) => `${feedFileName({ platform, arch })} names no ${ending} for ${arch}.`),
  ];
}
