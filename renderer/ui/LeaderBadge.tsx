import { useNow } from '../state/use-now.ts';
import { type LeaderBadgeFacts, type LeaderShape, leaderBadgeModel } from './leader-badge-model.ts';
import './leader-badge.css';

const CROWN = 'M2 12.2L1 4.6l3.6 2.6L8 2.2l3.4 5L15 4.6l-1 7.6z';
const GEAR_TEETH =
  'M8 1v2.4M8 12.6V15M1 8h2.4M12.6 8H15M3.05 3.05l1.7 1.7M11.25 11.25l1.7 1.7M3.05 12.95l1.7-1.7M11.25 4.75l1.7-1.7';

const SHAPES: Record<LeaderShape, React.ReactNode> = {
  'crown-filled': <path d={`${CROWN}M2.2 14h11.6`} fill="currentColor" />,
  'crown-outlined': <path d={CROWN} />,
  'crown-crossed': (
    <>
      <path d={CROWN} />
      <path d="M1.5 14.5l13-13" />
    </>
  ),
  gear: (
    <>
      <circle cx="8" cy="8" r="3.4" />
      <path d={GEAR_TEETH} />
    </>
  ),
  'crown-broken': (
    <>
      <path d="M6.4 12.2H2L1 4.6l3.6 2.6 2.2-3.2" />
      <path d="M9.6 12.2H14l1-7.6-3.6 2.6-2.2-3.2" />
      <path d="M8.4 5.4L7.2 8l1.6 1.6L7.8 12.4" />
    </>
  ),
  'crown-dotted': <path d={CROWN} strokeDasharray="2 1.6" />,
};

/** The bare shape of a standing. */
export function LeaderShapeMark({ shape, size = 16 }: { shape: LeaderShape; size?: number }) {
  return (
    <svg className="isg-leader-shape" width={size} height={size} viewBox="0 0 16 16" aria-hidden>
      {SHAPES[shape]}
    </svg>
  );
}

/** How this node stands in the election, as shape and words. */
export function LeaderBadge(facts: LeaderBadgeFacts) {
  const { shape, words, isAlarming } = leaderBadgeModel(facts, useNow());
  const tone = shape === 'crown-filled' ? 'isg-leader-primary' : isAlarming ? 'isg-leader-alarm' : '';
  return (
    <span className={`isg-leader ${tone}`} title={words} data-testid="leader-badge" data-shape={shape}>
      <LeaderShapeMark shape={shape} />
      <span className="isg-truncate">{words}</span>
    </span>
  );
}
