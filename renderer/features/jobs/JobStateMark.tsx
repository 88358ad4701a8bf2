import type { JobState } from '../../../agent/contract/index.ts';
import { StatusShape } from '../../ui/StatusMark.tsx';
import { stateWord } from './job-words.ts';
import './jobs.css';

const OWN_SHAPES = {
  queued: <circle cx="8" cy="8" r="6.2" />,
  leased: (
    <>
      <circle cx="8" cy="8" r="6.2" />
      <path d="M6.4 5.2v5.6l4.6-2.8z" fill="currentColor" />
    </>
  ),
  cancelled: (
    <>
      <circle cx="8" cy="8" r="6.2" />
      <path d="M3.8 12.2l8.4-8.4" />
    </>
  ),
};

function Shape({ state }: { state: JobState }) {
  if (state === 'done') return <StatusShape status="ok" />;
  if (state === 'failed') return <StatusShape status="failing" />;
  return (
    <svg className={`isg-job-shape isg-job-shape-${state}`} width={16} height={16} viewBox="0 0 16 16" aria-hidden>
      {OWN_SHAPES[state]}
    </svg>
  );
}

/** A job's state as shape and word. */
export function JobStateMark({ state }: { state: JobState }) {
  return (
    <span className="isg-status" data-state={state}>
      <Shape state={state} />
      <span>{stateWord(state)}</span>
    </span>
  );
}
