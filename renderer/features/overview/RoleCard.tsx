import { useNavigate } from '../../state/navigation.ts';
import { formatCount } from '../../ui/format.ts';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { Sparkline } from '../../ui/Sparkline.tsx';
import { type Status, StatusMark } from '../../ui/StatusMark.tsx';
import type { RoleCardModel } from './role-cards.ts';

const MARKS: Record<RoleCardModel['state'], Status> = {
  working: 'ok',
  'standing-by': 'ok',
  paused: 'warning',
  elsewhere: 'unknown',
  nowhere: 'failing',
  unknown: 'unknown',
};

function Slots({ count, limit }: { count: number; limit: number }) {
  const share = limit === 0 ? 0 : Math.min(1, count / limit);
  return (
    <div className="isg-slots" aria-hidden>
      <div className="isg-slots-used" style={{ width: `${share * 100}%` }} />
    </div>
  );
}

function LastFailure({ card: { role, lastFailure } }: { card: RoleCardModel }) {
  const navigate = useNavigate();
  if (lastFailure === null) return <div className="isg-card-failure isg-dim">No failed job.</div>;
  return (
    <div className="isg-card-failure">
      <button
        type="button"
        className="isg-link"
        onClick={() => navigate('jobs', { role, state: 'failed', job: lastFailure.jobId })}
      >
        Failed <RelativeTime atMs={lastFailure.atMs} />
      </button>
      <div className="isg-clamp" title={lastFailure.message}>
        {lastFailure.message}
      </div>
    </div>
  );
}

/** One role: state, how many run of how many may, queue, rate of the last hour, last failure. All cards have one height. */
export function RoleCard({ card }: { card: RoleCardModel }) {
  const { role, state, word, why, running, queued, spark, rate } = card;
  const isQuiet = state === 'elsewhere';
  return (
    <article
      className={isQuiet ? 'isg-card isg-card-quiet' : 'isg-card'}
      aria-label={role}
      data-testid={`role-${role}`}
    >
      <div className="isg-card-head">
        <h2>{role}</h2>
        {isQuiet ? (
          <span className="isg-dim">{word}</span>
        ) : (
          <StatusMark status={MARKS[state]} label={word} size={14} />
        )}
      </div>
      {running === null ? (
        <div />
      ) : (
        <div>
          <div className="isg-card-figures">
            <b>{formatCount(running.count)}</b>
            <span className="isg-dim"> of {formatCount(running.limit)} running</span>
          </div>
          <Slots count={running.count} limit={running.limit} />
          <div className="isg-card-queue">
            {formatCount(queued ?? 0)} <span className="isg-dim">queued</span>
          </div>
        </div>
      )}
      <div className="isg-card-why">
        <span className="isg-clamp" title={why}>
          {why}
        </span>
      </div>
      <div className="isg-card-rate">
        <Sparkline values={spark} label={`Files per minute over the last hour; now ${rate}`} />
        <div className="isg-dim isg-small">{rate}</div>
      </div>
      <LastFailure card={card} />
    </article>
  );
}
