import { useNow } from '../state/use-now.ts';
import { formatAbsolute, formatRelative } from './format.ts';

/** `3 min ago`, kept current, with the absolute time on hover. Null = "never", or what `never` says. */
export function RelativeTime({ atMs, never = 'never' }: { atMs: number | null; never?: string }) {
  const nowMs = useNow();
  if (atMs === null) return <span className="isg-dim">{never}</span>;
  return (
    <time className="isg-nowrap" dateTime={new Date(atMs).toISOString()} title={formatAbsolute(atMs)}>
      {formatRelative(atMs, nowMs)}
    </time>
  );
}
