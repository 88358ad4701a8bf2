import type { ConfigEntry } from '../../../preload/contract/bridge.ts';

/**
 * How the keys of config.ini are laid out on the settings screen: group, unit, kind of field. It decides nothing about
 * what is valid; main does, and a key that is not named here is shown all the same.
 */

/** What a key is edited with. `choice` offers words; all others are a line of text. */
export type FieldKind = 'text' | 'path' | 'number' | 'choice';

interface Presentation {
  kind: FieldKind;
  unit: string;
  /** Values on offer; empty unless `choice`. */
  choices: readonly string[];
}

const text: Presentation = { kind: 'text', unit: '', choices: [] };
const path: Presentation = { kind: 'path', unit: '', choices: [] };
const flag: Presentation = { kind: 'choice', unit: '', choices: ['true', 'false'] };
const number = (unit: string): Presentation => ({ kind: 'number', unit, choices: [] });
const choice = (...choices: string[]): Presentation => ({ kind: 'choice', unit: '', choices });

const GROUPS: readonly { title: string; about: string; keys: Readonly<Record<string, Presentation>> }[] = [
  {
    title: 'Connection',
    about: 'How this node reaches iconik and, while iconik is away, the database of the cluster.',
    keys: {
      'iconik-url': text,
      'app-id': text,
      'auth-token': text,
      'storage-gateway-id': text,
      'db-connection-uri': text,
      'https-proxy': text,
      'iconik-requests-per-second': number('per s'),
      'iconik-settle-ms': number('ms'),
    },
  },
  {
    title: 'Proxies',
    about: 'What this node makes from a file for viewing in iconik.',
    keys: {
      'proxy-resolution': text,
      'proxy-bitrate': number('bit/s'),
      'image-proxy-resolution': text,
      'enable-hdr-to-sdr-keyframe-conversion': flag,
      'hardware-encoding': choice('off', 'auto', 'videotoolbox', 'nvenc', 'qsv'),
    },
  },
  {
    title: 'Transfers',
    about:
      'How much bandwidth transfers may use, how this node reads and uploads files, and when work that stands still is tried again.',
    keys: {
      'transfer-max-megabits-per-second': number('Mbit/s'),
      'transfer-bandwidth-schedule': text,
      'file-upload-parallel-uploads-threads-num': number('parts'),
      'upload-chunk-size': number('bytes'),
      'stall-ms': number('ms'),
      'checksum-max-megabytes-per-second': number('MB/s'),
    },
  },
  {
    title: 'Direct transfers',
    about: 'Whether other gateways may fetch files from this node without a way through the cloud.',
    keys: {
      'direct-transfer-address': text,
      'direct-transfer-certificate': path,
      'direct-transfer-key': path,
      'direct-transfer-ca': path,
    },
  },
  {
    title: 'Cluster timing',
    about: 'How quickly a failed node is noticed. All nodes of a cluster should use the same values.',
    keys: {
      'leader-ttl-ms': number('ms'),
      'leader-renew-ms': number('ms'),
      'leader-margin-ms': number('ms'),
      'heartbeat-lapse-ms': number('ms'),
      'priority-order': choice('larger-first', 'smaller-first'),
    },
  },
  {
    title: 'Programs',
    about: 'Which ffmpeg and ffprobe this node runs.',
    keys: {
      'ffmpeg-path': path,
      'ffprobe-path': path,
      'use-packaged-ffmpeg': flag,
      'use-packaged-imagemagick': flag,
    },
  },
  {
    title: 'Logging and data',
    about: 'What is logged, and where this node keeps its data.',
    keys: { 'log-level': choice('debug', 'info', 'warn', 'error'), 'data-dir': path },
  },
];

/** One group of keys as shown. */
export interface ConfigGroup {
  title: string;
  about: string;
  entries: ConfigEntry[];
}

/** How one key is edited. */
export function presentationOf(key: string): Presentation {
  return GROUPS.find(({ keys }) => key in keys)?.keys[key] ?? text;
}

/**
 * Sorts entries into groups, in a fixed order; empty groups are left out. Keys in `shownElsewhere` (the tunables while
 * their tiers are shown above) are dropped; keys that no group names come last.
 */
export function groupEntries(entries: readonly ConfigEntry[], shownElsewhere: ReadonlySet<string>): ConfigGroup[] {
  const left = new Map(entries.filter(({ key }) => !shownElsewhere.has(key)).map((entry) => [entry.key, entry]));
  const groups: ConfigGroup[] = [];
  for (const { title, about, keys } of GROUPS) {
    const own = Object.keys(keys).flatMap((key) => left.get(key) ?? []);
    for (const { key } of own) left.delete(key);
    if (own.length > 0) groups.push({ title, about, entries: own });
  }
  if (left.size > 0) {
    groups.push({
      title: 'Other keys of config.ini',
      about: 'What this file says besides.',
      entries: [...left.values()],
    });
  }
  return groups;
}

/** The entries whose key or explanation holds all words of a search; all when it is empty. */
export function matchesSearch(search: string, ...texts: readonly string[]): boolean {
  const hay = texts.join(' ').toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => hay.includes(word) || hay.replaceAll(/[-_]/g, ' ').includes(word));
}
