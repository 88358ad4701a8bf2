import './skeleton.css';

/** A quiet block of the size of what comes. */
export function SkeletonBlock({ height, width = '100%' }: { height: number; width?: number | string }) {
  return <span className="isg-skeleton" style={{ height, width }} aria-hidden />;
}

/** Rows of the size of those that come (default: a table row of 36 px), said once to screen readers. */
export function SkeletonRows({
  rows = 5,
  height = 36,
  label = 'Loading',
}: {
  rows?: number;
  height?: number;
  label?: string;
}) {
  return (
    <div role="status">
      <span className="isg-visually-hidden">{label}</span>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all alike and never move.
        <div key={row} className="isg-skeleton-row" style={{ height }}>
          <SkeletonBlock height={12} width={`${28 + ((row * 17) % 30)}%`} />
          <SkeletonBlock height={12} width="12%" />
          <SkeletonBlock height={12} width="8%" />
        </div>
      ))}
    </div>
  );
}
