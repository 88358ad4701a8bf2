import type { Transcoder } from '../../iconik/api.ts';
import type { JobContext } from '../../jobs/job-handler.ts';
import type { StorageAccess } from '../../storage/storage-access.ts';
import type { WatchFolders } from '../../storage/watch-folder-access.ts';
import type { Ffmpeg } from './ffmpeg/ffmpeg.ts';
import type { MediaInfo } from './ffmpeg/media-info.ts';
import type { MediaSource } from './ffmpeg/rendition.ts';
import type { ProxySettings } from './ffmpeg/rendition-plan.ts';
import type { ChildWatch } from './ffmpeg/run-program.ts';
import type { PublishDeps } from './publish-rendition.ts';
import type { Tools } from './tools/find-tools.ts';
import type { SourceFacts, TranscodeCheckpoint } from './transcode-checkpoint.ts';
import type { TranscodePayload } from './transcode-payload.ts';
import type { WatchedResults } from './watch-folder/await-results.ts';

/** What the transcode role needs. */
export interface TranscodeDeps extends PublishDeps {
  /** null when this node does not serve that storage. */
  storageOf(storageId: string): StorageAccess | null;
  /** Absolute path of a local folder; jobs make folders of their own in it. Equal to or below `tempStorage.mountPoint`. */
  tempDir: string;
  /** null while there is no usable ffmpeg on this node. */
  ffmpeg(): Ffmpeg | null;
  /** What else this node reads media with; absent = nothing. */
  tools?(): Promise<Tools>;
  /** The folders that other programs watch, as this node reaches them. */
  watchFolders: Pick<WatchFolders, 'of'>;
  /** The transcoder of iconik that takes a file; absent or null = none. */
  transcoderOf?(file: { storageId: string; path: string }, signal: AbortSignal): Promise<Transcoder | null>;
  /** Wall clock, milliseconds; default that of the machine. */
  wallMs?(): number;
  /** Ends the children of this node when it dies. */
  guard?: ChildWatch;
  /** Read at the start of each job, so that changes apply without restart. Never throws. */
  settings(file: { storageId: string; path: string }, signal: AbortSignal): ProxySettings | Promise<ProxySettings>;
}

/** One running job. */
export interface Work {
  deps: TranscodeDeps;
  context: JobContext<TranscodePayload>;
  ffmpeg: Ffmpeg;
  settings: ProxySettings;
  storage: StorageAccess;
  facts: SourceFacts;
  source: MediaSource;
  /** What iconik is told about the original; `source` may be made of it. null = nothing here can read the original. */
  described: MediaInfo | null;
  /** What the program behind a watch folder made; null = there is none. */
  watched: WatchedResults | null;
  /** Shown on the iconik job beside what was made; null = nothing to tell. */
  warning: string | null;
  checkpoint: TranscodeCheckpoint;
  /** Folder of this attempt. */
  dir: string;
}

/** An attempt whose storage, ffmpeg and original are there. */
export type Attempt = Pick<Work, 'deps' | 'context' | 'ffmpeg' | 'settings' | 'storage' | 'facts' | 'dir'>;
