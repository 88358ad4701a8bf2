import { useElementSize } from '@mantine/hooks';
import { linePath, niceCeiling, placeAt, xAt } from './plot-geometry.ts';
import './plot.css';

const PLOT_HEIGHT = 132;
const LEFT = 56;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;

/** A line plot over a common grid of places. */
export interface LinePlotProps {
  /** Above the plot, with the unit, e.g. "Files per minute". */
  title: string;
  /** At most four lines; colour and dash come from the order. */
  lines: readonly { name: string; values: readonly number[] }[];
  /** Words of a value at the axis. */
  format: (value: number) => string;
  /** Marks below: place and words. */
  marks: readonly { at: number; words: string }[];
  /** Least top of the axis, so that a quiet hour is not blown up. */
  leastTop: number;
  /** Place that is pointed at; null = none. */
  cursor: number | null;
  onCursor: (at: number | null) => void;
}

/** Draws lines with three grid lines; the pointer reports the place under it. Its numbers must be given in words besides. */
export function LinePlot({ title, lines, format, marks, leastTop, cursor, onCursor }: LinePlotProps) {
  const { ref, width: outer } = useElementSize<HTMLDivElement>();
  const width = Math.max(0, outer - LEFT - RIGHT);
  const count = lines[0]?.values.length ?? 0;
  const top = niceCeiling(Math.max(0, ...lines.flatMap(({ values }) => values)), leastTop);
  const move = (event: React.PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    onCursor(placeAt(event.clientX - box.left - LEFT, count, width));
  };
  return (
    <div className="isg-plot" ref={ref}>
      <div className="isg-plot-title">{title}</div>
      <svg
        width={Math.max(0, outer)}
        height={TOP + PLOT_HEIGHT + BOTTOM}
        onPointerMove={move}
        onPointerLeave={() => onCursor(null)}
        aria-hidden
      >
        {width === 0 ? null : (
          <g transform={`translate(${LEFT} ${TOP})`}>
            {[0, 0.5, 1].map((share) => (
              <g key={share}>
                <line
                  className="isg-plot-grid"
                  x2={width}
                  y1={PLOT_HEIGHT * (1 - share)}
                  y2={PLOT_HEIGHT * (1 - share)}
                />
                <text className="isg-plot-label" x={-8} y={PLOT_HEIGHT * (1 - share) + 4} textAnchor="end">
                  {format(top * share)}
                </text>
              </g>
            ))}
            {marks.map(({ at, words }, place) => (
              <text
                key={at}
                className="isg-plot-label"
                x={xAt(at, count, width)}
                y={PLOT_HEIGHT + 16}
                textAnchor={place === 0 ? 'start' : place === marks.length - 1 ? 'end' : 'middle'}
              >
                {words}
              </text>
            ))}
            {cursor === null ? null : (
              <line
                className="isg-plot-cursor"
                x1={xAt(cursor, count, width)}
                x2={xAt(cursor, count, width)}
                y2={PLOT_HEIGHT}
              />
            )}
            {lines.map(({ name, values }, order) => (
              <path
                key={name}
                className={`isg-series isg-series-${order + 1}`}
                d={linePath(values, width, PLOT_HEIGHT, top)}
              />
            ))}
          </g>
        )}
      </svg>
    </div>
  );
}
