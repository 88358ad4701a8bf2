import { expect, test } from 'vitest';
import { type FeedFile, feedFileName, feedProblems, mergeFeeds, readFeed } from '../../../build/package/feed-files.ts';
import type { PackageTarget } from '../../../build/package/target.ts';

const feed = (version: string, ...urls: string[]): FeedFile => ({
  version,
  files: urls.map((url) => ({ url, sha512: `digest of ${url} ${version}`, size: 1 })),
  path: urls[0],
});
const LINUX: PackageTarget = { platform: 'linux', arch: 'x64' };
const WINDOWS: PackageTarget = { platform: 'win32', arch: 'x64' };
const MAC: PackageTarget = { platform: 'darwin', arch: 'arm64' };

test('the feed names the installers of all kinds, also those of the other kind of Mac', () => {
  const linux = mergeFeeds([feed('0.2.0', 'a.AppImage'), feed('0.2.0', 'a.deb')], () => true);
  expect(linux?.files.map(({ url }) => url)).toEqual(['a.AppImage', 'a.deb']);
  const mac = [feed('0.2.0', 'x64.zip', 'x64.dmg'), feed('0.2.0', 'arm64.dmg'), feed('0.2.0', 'arm64.zip')];
  expect(mergeFeeds(mac, () => true)?.files).toHaveLength(4);
  expect(mergeFeeds([], () => true)).toBeNull();
});

test('the feed names nothing of an earlier version, nothing that is gone, and of what was built again the new digest', () => {
  const feeds = [feed('0.1.0', 'old.AppImage'), feed('0.2.0', 'a.AppImage', 'gone.deb'), feed('0.2.0', 'a.AppImage')];
  const again = { ...feed('0.2.0'), files: [{ url: 'a.AppImage', sha512: 'new' }] };
  const merged = mergeFeeds([...feeds, again], (url) => !url.startsWith('gone'));
  expect(merged).toMatchObject({ version: '0.2.0', files: [{ url: 'a.AppImage', sha512: 'new' }] });
  expect(merged?.files).toHaveLength(1);
});

test('what is no feed file is not read as one', () => {
  for (const parsed of [null, 'text', {}, { version: '0.2.0', files: [{ url: 'a' }] }])
    expect(readFeed(parsed)).toBeNull();
  expect(readFeed({ version: '0.2.0', files: [{ url: 'a', sha512: 'b', size: 3 }] })?.files[0]).toMatchObject({
    size: 3,
  });
});

test.each<[string, PackageTarget, Parameters<typeof feedProblems>[1], RegExp | null]>([
  ['no app-update.yml', LINUX, { appUpdate: null, feed: null, isRelease: false }, /app-update\.yml is missing/],
  ['an unpacked build', LINUX, { appUpdate: { provider: 'generic' }, feed: null, isRelease: false }, null],
  [
    'a release without feed',
    LINUX,
    { appUpdate: { provider: 'generic' }, feed: null, isRelease: true },
    /AppImage.*deb/,
  ],
  [
    'a feed of the last kind only',
    LINUX,
    { appUpdate: { provider: 'generic' }, feed: feed('1.0.0', 'a.deb'), isRelease: true },
    /^latest-linux\.yml names no \.AppImage for x64\.$/,
  ],
  [
    'all of Linux',
    LINUX,
    { appUpdate: { provider: 'generic' }, feed: feed('1.0.0', 'a.AppImage', 'a.deb'), isRelease: true },
    null,
  ],
  [
    'Windows without a publisher',
    WINDOWS,
    { appUpdate: { provider: 'generic' }, feed: feed('1.0.0', 'a.exe'), isRelease: true },
    /publisherName/,
  ],
  [
    'Windows with one',
    WINDOWS,
    { appUpdate: { provider: 'generic', publisherName: ['ISG'] }, feed: feed('1.0.0', 'a.exe'), isRelease: true },
    null,
  ],
  [
    'a Mac of the other processor',
    MAC,
    { appUpdate: { provider: 'generic' }, feed: feed('1.0.0', 'isg-mac-x64.zip'), isRelease: true },
    /latest-mac\.yml names no \.zip for arm64/,
  ],
])('%s is judged', (_, target, found, words) => {
  const said = feedProblems(target, found).join(' ');
  if (words === null) expect(said).toBe('');
  else expect(said).toMatch(words);
});

test('each machine asks for the file that electron-builder names for it', () => {
  expect([LINUX, WINDOWS, MAC, { ...LINUX, arch: 'arm64' as const }].map(feedFileName)).toEqual([
    'latest-linux.yml',
    'latest.yml',
    'latest-mac.yml',
    'latest-linux-arm64.yml',
  ]);
});
