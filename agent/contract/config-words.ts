import type { ConfigKey } from './config-keys.ts';

/** What a key does and what holds without it, in words for the settings screen. */
export interface ConfigWords {
  /** One plain sentence. */
  explanation: string;
  /** Empty when the key is required. */
  default: string;
}

/** Where a tunable comes from when config.ini does not say it. */
const NEXT_TIER = (value: number) => `the node's or cluster's setting in iconik, else ${value}`;

/** The words of each key. A key without words does not compile. */
export const CONFIG_WORDS: Readonly<Record<ConfigKey, ConfigWords>> = {
  'iconik-url': { explanation: 'Address of the iconik account.', default: 'https://app.iconik.io/' },
  'app-id': { explanation: 'App-ID of the application token with which this node signs in to iconik.', default: '' },
  'auth-token': { explanation: 'Application token with which this node signs in to iconik.', default: '' },
  'storage-gateway-id': { explanation: 'Id of the storage gateway in iconik that this node is.', default: '' },
  'db-connection-uri': {
    explanation: 'Database of the cluster, used only to start while iconik cannot be reached.',
    default: 'what the cluster says in iconik',
  },
  'proxy-resolution': { explanation: 'Largest picture size of video proxies.', default: '1280x720' },
  'proxy-bitrate': { explanation: 'Highest bit rate of video proxies, in bits per second.', default: '3000000' },
  'image-proxy-resolution': { explanation: 'Largest picture size of image proxies.', default: '2048x2048' },
  'enable-hdr-to-sdr-keyframe-conversion': {
    explanation: 'Whether keyframes of HDR video are converted to standard range.',
    default: 'true',
  },
  'use-packaged-ffmpeg': {
    explanation: 'Whether the ffmpeg that comes with this program goes before the one installed on this machine.',
    default: 'true',
  },
  'use-packaged-imagemagick': {
    explanation: 'Accepted so that existing files keep working; this program needs no ImageMagick.',
    default: 'true',
  },
  'file-upload-parallel-uploads-threads-num': {
    explanation: 'Parts of one file that are uploaded at a time.',
    default: '4',
  },
  'upload-chunk-size': {
    explanation: 'Size of one part of an upload, in bytes.',
    default: 'chosen by the size of the file',
  },
  'transfer-max-megabits-per-second': {
    explanation: 'Bandwidth that all uploads and downloads of this node may use together, in megabits per second.',
    default: 'no limit',
  },
  'transfer-bandwidth-schedule': {
    explanation:
      'Other limits by day and hour of the local clock, such as "Mon-Fri 08:00-18:00 200; Sat,Sun unlimited"; the first rule that fits holds.',
    default: 'none: transfer-max-megabits-per-second holds always',
  },
  'checksum-max-workers': {
    explanation: 'Files whose checksums this node computes at a time.',
    default: NEXT_TIER(2),
  },
  'scanner-concurrency-value': {
    explanation: 'Folders that the scan reads at a time while this node leads.',
    default: NEXT_TIER(4),
  },
  'file-download-parallel-downloads-num': {
    explanation: 'Files that this node downloads at a time.',
    default: NEXT_TIER(4),
  },
  'file-upload-parallel-uploads-num': {
    explanation: 'Files that this node uploads at a time.',
    default: NEXT_TIER(4),
  },
  'max-transcoding-jobs': {
    explanation: 'Transcodes that this node runs at a time, for each transcoder.',
    default: NEXT_TIER(2),
  },
  'leader-ttl-ms': {
    explanation: 'How long leadership lasts without renewal, in milliseconds; must be the same on all MAIN nodes.',
    default: '3000',
  },
  'leader-renew-ms': {
    explanation: 'How often the leading node renews its leadership, in milliseconds.',
    default: '750',
  },
  'leader-margin-ms': {
    explanation: 'How long before the end of its leadership a node stops acting as leader, in milliseconds.',
    default: '750',
  },
  'heartbeat-lapse-ms': {
    explanation: 'How long a node must be silent before the others take over its jobs, in milliseconds.',
    default: '6000',
  },
  'iconik-requests-per-second': {
    explanation: 'Requests to iconik per second, for all nodes with the same App-ID together.',
    default: '45',
  },
  'iconik-settle-ms': {
    explanation:
      'How long an unanswered creation in iconik is left alone before this node looks for its outcome, in milliseconds.',
    default: '15000',
  },
  'stall-ms': {
    explanation:
      'How long ffmpeg, an upload or a download may make no progress before it is ended and tried again, in milliseconds.',
    default: '120000 for ffmpeg (more for long clips), 45000 for transfers',
  },
  'checksum-max-megabytes-per-second': {
    explanation:
      'What this node may read in a second for checksums, in megabytes; each of its checksum workers gets an equal part.',
    default: 'no limit',
  },
  'priority-order': {
    explanation: 'Whether jobs with a larger or a smaller priority number run first.',
    default: 'larger-first',
  },
  'log-level': { explanation: 'Least severe messages that go to the log.', default: 'info' },
  'log-cache-max-megabytes': {
    explanation:
      'Most disk space of the log cache, in megabytes. When it is full, records that are in the database already go first, then the oldest of level debug, info, warn and at last error.',
    default: '512',
  },
  'log-retention-days': {
    explanation:
      'How many days log records are kept: in the database of the cluster (as the leader has it set), and on this node once they are there.',
    default: '30',
  },
  'metrics-port': {
    explanation:
      'Port on which this machine alone (127.0.0.1) can read figures of the node for Prometheus, at /metrics. None are served without it.',
    default: '',
  },
  'hardware-encoding': {
    explanation:
      'Whether video proxies are encoded by the graphics hardware of this machine, and by which; software is used where it does not work.',
    default: 'off',
  },
  'ffmpeg-path': {
    explanation: 'ffmpeg program to use instead of the packaged one.',
    default: 'packaged or installed ffmpeg',
  },
  'ffprobe-path': {
    explanation: 'ffprobe program to use instead of the packaged one.',
    default: 'packaged or installed ffprobe',
  },
  'https-proxy': {
    explanation: 'Proxy server through which this node reaches iconik.',
    default: 'the HTTPS_PROXY of the environment, else none',
  },
  'direct-transfer-address': {
    explanation:
      'Where this node listens (HTTPS) for other gateways that fetch files from it directly; what they are told is the Direct Transfer Address in iconik.',
    default: 'no port is opened',
  },
  'direct-transfer-certificate': {
    explanation: 'Certificate with which this node answers other gateways, with those it was signed by (PEM file).',
    default: 'none',
  },
  'direct-transfer-key': {
    explanation: 'Private key of that certificate (PEM file).',
    default: 'none',
  },
  'direct-transfer-ca': {
    explanation:
      'Certificates (PEM file) that are trusted beside those of the system when this node sends or fetches files, for gateways with certificates of your own.',
    default: 'those of the system',
  },
  'update-url': {
    explanation:
      'Folder on a web server (https) where the desktop application looks for new versions of itself; it installs them while no job runs, one node of a cluster at a time.',
    default: 'no updates',
  },
  'update-check-hours': {
    explanation: 'How often the desktop application looks for a new version, in hours.',
    default: '6',
  },
  'update-window': {
    explanation:
      'Hours of the day, by the local clock, in which a new version may be installed by itself, such as 22:00-05:30.',
    default: 'at any time',
  },
  'data-dir': {
    explanation: 'Folder for logs, cache and the embedded database of this node.',
    default: 'the application data folder of the user or system',
  },
};
