import type { LeadershipSpan } from '../../../agent/contract/index.ts';
import { useNow } from '../../state/use-now.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { formatAbsolute, formatDuration, formatDurationExact, plural } from '../../ui/format.ts';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { type BandPart, fillsByName, leadershipBand, summariseBand } from './leadership-band.ts';

/** Below this share of the band a name has no room. */
const ROOM_FOR_NAME = 0.09;

const title = ({ span, startedMs, endedMs }: BandPart): string => {
  const when = `${formatAbsolute(startedMs)} – ${endedMs === null ? 'now' : formatAbsolute(endedMs)}`;
  return span === null
    ? `Nobody led, ${when}`
    : `${span.name}, term ${span.term}, ${when}. ${span.endWhy ?? ''}`.trim();
};

function Band({ parts, fills }: { parts: readonly BandPart[]; fills: ReadonlyMap<string, number> }) {
  return (
    <div aria-hidden>
      <div className="isg-band">
        {parts.map((part) => (
          <span
            key={`${part.kind}${part.startedMs}`}
            className={`isg-band-part ${part.span === null ? 'isg-band-gap' : `isg-band-${fills.get(part.span.name) ?? 1}`}`}
            style={{ left: `min(${part.from * 100}%, 100% - 4px)`, width: `${(part.to - part.from) * 100}%` }}
            title={title(part)}
          >
            {part.to - part.from > ROOM_FOR_NAME ? (part.span?.name ?? 'nobody') : ''}
          </span>
        ))}
      </div>
      <div className="isg-band-scale">
        {['24 h ago', '18 h', '12 h', '6 h', 'now'].map((words) => (
          <span key={words}>{words}</span>
        ))}
      </div>
    </div>
  );
}

function SpanRow({ span, fill, isLive }: { span: LeadershipSpan; fill: number; isLive: boolean }) {
  const nowMs = useNow();
  const goesOn = span.endedMs === null;
  return (
    <tr>
      <td className="isg-num">{span.term}</td>
      <td>
        <span className="isg-row">
          <i className={`isg-band-key isg-band-${fill}`} aria-hidden />
          <span className="isg-truncate" title={span.name}>
            {span.name}
          </span>
        </span>
      </td>
      <td>
        <RelativeTime atMs={span.startedMs} />
      </td>
      <td className="isg-num">{formatDurationExact((span.endedMs ?? nowMs) - span.startedMs)}</td>
      <td>{span.why}</td>
      <td>{goesOn ? <span className="isg-dim">{isLive ? 'Leads now' : 'Led when last known'}</span> : span.endWhy}</td>
    </tr>
  );
}

/** Who led when, as a band of the last 24 hours and as a list with the reasons. */
export function LeadershipHistory({ history, isLive }: { history: readonly LeadershipSpan[]; isLive: boolean }) {
  const nowMs = useNow();
  const parts = leadershipBand(history, nowMs);
  if (parts.length === 0) {
    return (
      <EmptyState title="No leadership in the last 24 hours">The first node that can lead appears here.</EmptyState>
    );
  }
  const fills = fillsByName(history);
  const { leaderships, leaderlessMs } = summariseBand(parts);
  const without = leaderlessMs < 1000 ? 'less than 1 s' : formatDuration(leaderlessMs);
  return (
    <>
      <div className="isg-band-place">
        <div className="isg-small">
          {plural(leaderships, 'leadership')} in the last 24 hours; nobody led for {without}.
        </div>
        <Band parts={parts} fills={fills} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling table must be reachable by keyboard. */}
      <section className="isg-history" tabIndex={0} aria-label="List of leaderships">
        <table className="isg-table">
          <thead>
            <tr>
              <th className="isg-num">Term</th>
              <th>Node</th>
              <th>Began</th>
              <th className="isg-num">Lasted</th>
              <th>Why it began</th>
              <th>Why it ended</th>
            </tr>
          </thead>
          <tbody>
            {history.map((span) => (
              <SpanRow key={span.term} span={span} fill={fills.get(span.name) ?? 1} isLive={isLive} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}
