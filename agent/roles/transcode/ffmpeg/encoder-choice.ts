import { type HardwareWish, hardwareCandidates, suitsHardware, type VideoEncoder } from './video-encoder.ts';

/** Which encoder a proxy is made with. */
export interface EncoderChoice {
  /**
   * A hardware encoder that is asked for and proved itself on one frame, else `libx264`. The trial is made once and its
   * outcome remembered. Throws the reason of the signal only.
   */
  choose(size: { width: number; height: number }, signal: AbortSignal): Promise<VideoEncoder>;
  /** Tells how an encode with a hardware encoder ended. */
  ended(isGood: boolean): void;
}

/** What choosing needs. */
export interface EncoderChoiceDeps {
  wish: HardwareWish;
  platform: NodeJS.Platform;
  /** Encodes one frame; false = this machine, driver or ffmpeg cannot. Never throws. */
  trial(encoder: VideoEncoder): Promise<boolean>;
}

/** After so many failures in a row hardware is left alone until the next start: each costs a proxy made twice. */
const MOST_FAILURES = 3;

async function firstThatWorks({ wish, platform, trial }: EncoderChoiceDeps): Promise<VideoEncoder> {
  for (const encoder of hardwareCandidates(wish, platform)) if (await trial(encoder)) return encoder;
  return 'libx264';
}

/** Resolves with the promise, or rejects as soon as the signal fires. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

/** Makes the choice for one ffmpeg; one instance serves any number of jobs at once. */
export function createEncoderChoice(deps: EncoderChoiceDeps): EncoderChoice {
  let tried: Promise<VideoEncoder> | null = null;
  let failures = 0;
  return {
    async choose(size, signal) {
      if (deps.wish === 'off' || failures >= MOST_FAILURES || !suitsHardware(size)) return 'libx264';
      tried ??= firstThatWorks(deps);
      return await unlessAborted(tried, signal);
    },
    ended(isGood) {
      failures = isGood ? 0 : failures + 1;
    },
  };
}
