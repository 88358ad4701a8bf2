import { type KeyboardEvent, type PointerEvent, useEffect, useRef, useState } from 'react';
import { formatAbsolute, formatCount } from '../format.ts';
import type { LogExtent } from './log-buffer.ts';
import { shareAt, thumbOf } from './rail-plan.ts';

interface LogRailProps {
  extent: LogExtent;
  /** First and last line in view. */
  inView: { firstSeq: number; lastSeq: number; atMs: number };
  /** DOM id of the list. */
  controls: string;
  label: string;
  onJump: (share: number) => void;
}

/** A key moves by so much of the log. */
const KEY_SHARE: Record<string, number> = { ArrowUp: -0.01, ArrowDown: 0.01, PageUp: -0.1, PageDown: 0.1 };

/** Goes where the pointer is, at most once a frame. */
function useDrag(jump: (share: number) => void) {
  const waiting = useRef<{ share: number; frame: number }>({ share: 0, frame: 0 });
  useEffect(() => () => cancelAnimationFrame(waiting.current.frame), []);
  return (share: number) => {
    const { current } = waiting;
    current.share = share;
    if (current.frame !== 0) return;
    current.frame = requestAnimationFrame(() => {
      current.frame = 0;
      jump(current.share);
    });
  };
}

/** Where the view is in the whole log, and a way to anywhere in it. */
export function LogRail({ extent, inView, controls, label, onJump }: LogRailProps) {
  const rail = useRef<HTMLDivElement>(null);
  const [railPx, setRailPx] = useState(0);
  const [held, setHeld] = useState<{ fromPx: number; topPx: number } | null>(null);
  const drag = useDrag(onJump);
  useEffect(() => {
    const element = rail.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setRailPx(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const thumb = thumbOf(extent, inView, railPx);
  const topPx = held?.topPx ?? thumb.topPx;
  const share = shareAt(topPx, thumb, railPx);

  const placeOf = (event: PointerEvent) => event.clientY - (rail.current?.getBoundingClientRect().top ?? 0);
  const moveTo = (wantedPx: number, fromPx: number) => {
    const next = Math.min(railPx - thumb.heightPx, Math.max(0, wantedPx - fromPx));
    setHeld({ fromPx, topPx: next });
    drag(shareAt(next, thumb, railPx));
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const at = placeOf(event);
    const isOnThumb = at >= topPx && at <= topPx + thumb.heightPx;
    event.currentTarget.setPointerCapture(event.pointerId);
    moveTo(at, isOnThumb ? at - topPx : thumb.heightPx / 2);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = KEY_SHARE[event.key];
    const to = event.key === 'Home' ? 0 : event.key === 'End' ? 1 : step === undefined ? null : share + step;
    if (to === null) return;
    event.preventDefault();
    onJump(Math.min(1, Math.max(0, to)));
  };
  const nth = formatCount(Math.max(1, inView.firstSeq - extent.firstSeq + 1));
  return (
    <div
      ref={rail}
      className="isg-log-rail"
      role="scrollbar"
      tabIndex={0}
      aria-label={`Place in ${label}`}
      aria-controls={controls}
      aria-orientation="vertical"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(share * 100)}
      aria-valuetext={`Line ${nth} of ${formatCount(extent.lastSeq - extent.firstSeq + 1)}, ${formatAbsolute(inView.atMs)}`}
      data-testid="log-rail"
      onPointerDown={onPointerDown}
      onPointerMove={(event) => held && moveTo(placeOf(event), held.fromPx)}
      onPointerUp={() => setHeld(null)}
      onPointerCancel={() => setHeld(null)}
      onKeyDown={onKeyDown}
    >
      <div className="isg-log-thumb" data-held={held !== null} style={{ height: thumb.heightPx, top: topPx }} />
    </div>
  );
}
