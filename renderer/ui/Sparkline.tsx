import { areaPath, linePath } from './plot-geometry.ts';
import './plot.css';

const WIDTH = 240;

/**
 * A line without axes. Carries no number by itself: `label` says in words what it shows. Stretches to its place; the line
 * keeps its thickness.
 */
export function Sparkline({
  values,
  height = 32,
  label,
}: {
  values: readonly number[];
  height?: number;
  label: string;
}) {
  const top = Math.max(1, ...values);
  return (
    <svg
      className="isg-sparkline"
      viewBox={`0 0 ${WIDTH} ${height}`}
      preserveAspectRatio="none"
      height={height}
      width="100%"
      role="img"
      aria-label={label}
    >
      <path className="isg-sparkline-area" d={areaPath(values, WIDTH, height - 1, top)} />
      <path
        className="isg-sparkline-line"
        d={linePath(values, WIDTH, height - 1, top)}
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}
