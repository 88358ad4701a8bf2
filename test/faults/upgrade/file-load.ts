import { createHash } from 'node:crypto';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runGenerator } from '../../demo/clips.ts';

/** Between two new files. */
const FILE_EVERY_MS = 400;
/** One file of so many is a clip. */
const CLIP_EVERY = 12;

/** Makes short clips that differ, in a folder that is no storage; answers their paths. */
export async function makeClips(dir: string, count: number): Promise<string[]> {
  await mkdir(dir, { recursive: true });
  const paths = Array.from({ length: count }, (_, at) => join(dir, `clip ${at}.mov`));
  for (const [at, path] of paths.entries()) {
    const picture = ['-f', 'lavfi', '-i', `testsrc2=size=160x90:rate=10:duration=1,hue=h=${at * 40}`];
    await runGenerator([...picture, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', `file:${path}`]);
  }
  return paths;
}

/** New files all the time, now and then a clip until there are none left, until told to stop; that answers how many. */
export function writeFiles(media: string, clips: readonly string[]): { stop(): Promise<number> } {
  const stopped = new AbortController();
  const work = (async () => {
    const left = [...clips];
    let at = 0;
    for (; !stopped.signal.aborted; at++) {
      const clip = at % CLIP_EVERY === 1 ? left.shift() : undefined;
      const path = join(media, `reel ${at % 5}`, clip === undefined ? `take ${at}.txt` : `take ${at}.mov`);
      await mkdir(dirname(path), { recursive: true });
      if (clip !== undefined) await copyFile(clip, path);
      else await writeFile(path, createHash('sha512').update(String(at)).digest('hex').repeat(500));
      await sleep(FILE_EVERY_MS, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
    return at;
  })();
  return {
    stop: () => {
      stopped.abort();
      return work;
    },
  };
}
