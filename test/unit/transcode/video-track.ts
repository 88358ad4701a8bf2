import type { VideoTrack } from '../../../agent/roles/transcode/ffmpeg/media-info.ts';

/** A plain full-HD picture. */
export const videoTrack: VideoTrack = {
  streamIndex: 0,
  codec: 'h264',
  codecProfile: 'High',
  width: 1920,
  height: 1080,
  pixelAspect: 1,
  rotation: 0,
  frameRate: '25',
  isVariableRate: false,
  pixelFormat: 'yuv420p',
  colour: { transfer: 'bt709', primaries: 'bt709', matrix: 'bt709', range: 'tv' },
  fieldOrder: 'progressive',
  bitRate: null,
  startTimeCode: null,
  isDropFrame: false,
};
