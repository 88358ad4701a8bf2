import { IconCheck } from '@tabler/icons-react';
import { isDone, mayOpen, SETUP_STEPS, type SetupStep } from './setup-state.ts';
import { useSetup } from './use-setup.ts';

const TITLES: Readonly<Record<SetupStep, string>> = {
  account: 'Connect to iconik',
  gateway: 'Storage gateway',
  mounts: 'Mount points',
  review: 'Check',
  start: 'Start',
};

/** The steps: which is shown, which are done, and back to any of those. */
export function StepList() {
  const { state, setup } = useSetup();
  return (
    <ol className="isg-setup-steps" aria-label="Steps">
      {SETUP_STEPS.map((step, index) => {
        const isCurrent = step === state.step;
        const done = state.writtenMs !== null ? step !== 'start' : isDone(state, step);
        return (
          <li key={step}>
            <button
              type="button"
              aria-current={isCurrent ? 'step' : undefined}
              disabled={!isCurrent && (!mayOpen(state, step) || state.work !== null)}
              onClick={() => setup.tell({ type: 'went', step })}
              data-testid={`step-${step}`}
            >
              <span className="isg-setup-number">
                {done && !isCurrent ? <IconCheck size={14} aria-hidden /> : index + 1}
              </span>
              {TITLES[step]}
              {done && !isCurrent ? <span className="isg-visually-hidden">, done</span> : null}
            </button>
          </li>
        );
      })}
    </ol>
  );
}
