/** The five settings that config.ini, node and cluster may all hold (design: settings), with default and range. */
export const TUNABLES = {
  /** Files hashed at a time by this node. */
  checksum_max_workers: { default: 2, min: 1, max: 64 },
  /** Folders walked at a time by the leader. */
  scanner_concurrency_value: { default: 4, min: 1, max: 64 },
  /** Files downloaded at a time by this node. */
  file_download_parallel_downloads_num: { default: 4, min: 1, max: 64 },
  /** Files uploaded at a time by this node. */
  file_upload_parallel_uploads_num: { default: 4, min: 1, max: 64 },
  /** Transcodes at a time, per transcoder profile, of this node. */
  max_transcoding_jobs: { default: 2, min: 1, max: 64 },
} as const;

/** Name of a tunable as iconik spells it. */
export type TunableName = keyof typeof TUNABLES;
