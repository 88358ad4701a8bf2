import { Button, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import type { ThroughputPoint } from '../../../agent/contract/index.ts';
import { useNow } from '../../state/use-now.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { formatByteRate, formatBytes, formatClock, formatCount } from '../../ui/format.ts';
import { LinePlot } from '../../ui/LinePlot.tsx';
import { Section } from '../../ui/ScreenHeader.tsx';
import { hasADay, type Throughput, throughputSeries } from './throughput-series.ts';

const MINUTE_MS = 60_000;

function ThroughputTable({ throughput: { minutes, series } }: { throughput: Throughput }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling table must be reachable by keyboard.
    <section className="isg-throughput-table" tabIndex={0} aria-label="Throughput by minute">
      <table className="isg-table">
        <thead>
          <tr>
            <th>Minute</th>
            {series.map(({ role }) => (
              <th key={role} className="isg-num">
                {role}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {minutes
            .map((minuteMs, at) => (
              <tr key={minuteMs}>
                <td>{formatClock(minuteMs)}</td>
                {series.map(({ role, jobsPerMinute, bytesPerSecond }) => (
                  <td key={role} className="isg-num">
                    {formatCount(jobsPerMinute[at] ?? 0)} files
                    <span className="isg-dim"> · {formatByteRate(bytesPerSecond[at] ?? 0)}</span>
                  </td>
                ))}
              </tr>
            ))
            .reverse()}
        </tbody>
      </table>
    </section>
  );
}

function Legend({
  throughput: { minutes, series },
  at,
  isPointed,
}: {
  throughput: Throughput;
  at: number;
  isPointed: boolean;
}) {
  const startMs = minutes[at] ?? 0;
  return (
    <table className="isg-legend">
      <caption>
        {formatClock(startMs)}–{formatClock(startMs + MINUTE_MS)}
        <span className="isg-dim"> {isPointed ? 'pointed at' : 'newest minute'}</span>
      </caption>
      <thead className="isg-visually-hidden">
        <tr>
          <th>Role</th>
          <th>Files per minute</th>
          <th>Bytes per second</th>
        </tr>
      </thead>
      <tbody>
        {series.map(({ role, jobsPerMinute, bytesPerSecond }, order) => (
          <tr key={role}>
            <td>
              <svg width="24" height="8" aria-hidden>
                <line className={`isg-series isg-series-${order + 1}`} x2="24" y1="4" y2="4" />
              </svg>{' '}
              {role}
            </td>
            <td className="isg-num">{formatCount(jobsPerMinute[at] ?? 0)}/min</td>
            <td className="isg-num">{formatByteRate(bytesPerSecond[at] ?? 0)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const timeMarks = (minutes: readonly number[]) =>
  [0, 1, 2, 3, 4].map((quarter) => {
    const at = Math.round(((minutes.length - 1) * quarter) / 4);
    return { at, words: formatClock(minutes[at] ?? 0) };
  });

function Plots({ throughput }: { throughput: Throughput }) {
  const [cursor, setCursor] = useState<number | null>(null);
  const { minutes, series } = throughput;
  const last = minutes.length - 1;
  const at = cursor ?? last;
  const shared = { marks: timeMarks(minutes), cursor, onCursor: setCursor };
  const step = (event: React.KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -last, End: last }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setCursor(Math.min(last, Math.max(0, at + by)));
  };
  const words = series.map(({ role, jobsPerMinute }) => `${role} ${formatCount(jobsPerMinute[at] ?? 0)}`).join(', ');
  return (
    <div className="isg-throughput">
      <div
        className="isg-throughput-plots"
        role="slider"
        tabIndex={0}
        aria-label="Minute of the throughput plot"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={at}
        aria-valuetext={`${formatClock(minutes[at] ?? 0)}: files per minute ${words}`}
        onKeyDown={step}
        onBlur={() => setCursor(null)}
      >
        <LinePlot
          {...shared}
          title="Files per minute"
          lines={series.map(({ role, jobsPerMinute }) => ({ name: role, values: jobsPerMinute }))}
          format={formatCount}
          leastTop={10}
        />
        <LinePlot
          {...shared}
          title="Bytes per second"
          lines={series.map(({ role, bytesPerSecond }) => ({ name: role, values: bytesPerSecond }))}
          format={(value) => formatBytes(value).replace(/\.0+ /, ' ')}
          leastTop={1_000_000}
        />
      </div>
      <Legend throughput={throughput} at={at} isPointed={cursor !== null} />
    </div>
  );
}

/**
 * What the cluster got done, by role, over the last hour; over a day once there is a day. Also as a table. `untilMs` = when
 * the data were taken, if they are not of now: the time since then is unknown, not idle.
 */
export function ThroughputPlot({ points, untilMs }: { points: readonly ThroughputPoint[]; untilMs: number | null }) {
  const [hours, setHours] = useState('1');
  const [asTable, setAsTable] = useState(false);
  const runningMs = useNow();
  const nowMs = untilMs ?? runningMs;
  const day = hasADay(points, nowMs);
  const throughput = throughputSeries(points, nowMs, day ? Number(hours) : 1);
  const aside = (
    <div className="isg-row">
      {day ? (
        <SegmentedControl
          size="xs"
          aria-label="Time span"
          data={[
            { value: '1', label: '1 h' },
            { value: '24', label: '24 h' },
          ]}
          value={hours}
          onChange={setHours}
        />
      ) : null}
      <Button size="compact-sm" variant="subtle" onClick={() => setAsTable(!asTable)}>
        {asTable ? 'Show plot' : 'Show as table'}
      </Button>
    </div>
  );
  const span = day && hours === '24' ? '24 hours' : 'hour';
  const when = untilMs === null ? `last ${span}` : `${span} until ${formatClock(untilMs)}`;
  return (
    <Section title={`Throughput of the cluster, ${when}`} aside={throughput.isEmpty ? null : aside}>
      <div className="isg-throughput-place">
        {throughput.isEmpty ? (
          <EmptyState title="Nothing done in this time">Finished jobs show here, minute by minute.</EmptyState>
        ) : asTable ? (
          <ThroughputTable throughput={throughput} />
        ) : (
          <Plots throughput={throughput} />
        )}
      </div>
    </Section>
  );
}
