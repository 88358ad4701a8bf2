import type { Locator } from '@playwright/test';

/** Where a log line stood in one frame. */
export interface FrameSeen {
  /** Lines that the list had. */
  count: number;
  /** How far the watched line was from where it belongs, pixels; null when it was not drawn. */
  offPx: number | null;
}

/** What to watch. */
export interface FrameWatch {
  /** Scrolled before the first frame; the watched line belongs so far from where it stood. */
  scrollByPx: number;
  /** Watched until the list has more lines than this. */
  untilMoreThan: number;
  /** … and so many frames more. */
  framesAfter: number;
}

/** Watches the line in the middle of the view, frame by frame, in the page itself. Gives up after 12 s. */
export function recordFrames(list: Locator, watch: FrameWatch): Promise<FrameSeen[]> {
  return list.evaluate((box, { scrollByPx, untilMoreThan, framesAfter }) => {
    const { top, height, left } = box.getBoundingClientRect();
    const line = document.elementFromPoint(left + 40, top + height / 2)?.closest('[data-testid="log-line"]');
    const seq = line?.getAttribute('data-seq') ?? '';
    const placeOf = () => box.querySelector(`[data-seq="${seq}"]`)?.getBoundingClientRect().top ?? null;
    const belongsPx = (placeOf() ?? Number.NaN) - scrollByPx;
    box.scrollTop += scrollByPx;
    const frames: FrameSeen[] = [];
    const deadline = performance.now() + 12_000;
    let framesLeft = framesAfter;
    return new Promise<FrameSeen[]>((resolve, reject) => {
      const look = () => {
        const at = placeOf();
        const count = Number(box.getAttribute('data-line-count'));
        frames.push({ count, offPx: at === null ? null : at - belongsPx });
        if (count > untilMoreThan) framesLeft -= 1;
        if (framesLeft <= 0) resolve(frames);
        else if (performance.now() > deadline) reject(new Error(`the list still has ${count} lines`));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
  }, watch);
}
