import type { ReactNode } from 'react';
import { AccountStep } from './AccountStep.tsx';
import { GatewayStep } from './GatewayStep.tsx';
import { MountStep } from './MountStep.tsx';
import { ReviewStep } from './ReviewStep.tsx';
import { StartStep } from './StartStep.tsx';
import { StepList } from './StepList.tsx';
import type { SetupStep } from './setup-state.ts';
import { useSetup } from './use-setup.ts';
import './setup.css';

const STEPS: Readonly<Record<SetupStep, () => ReactNode>> = {
  account: AccountStep,
  gateway: GatewayStep,
  mounts: MountStep,
  review: ReviewStep,
  start: StartStep,
};

/** The assistant without the place it stands in; `aside` is put below the steps. */
export function SetupSteps({ aside }: { aside?: ReactNode }) {
  const { state } = useSetup();
  const Step = STEPS[state.step];
  return (
    <div className="isg-setup" data-testid="setup-assistant" data-step={state.step}>
      <div className="isg-setup-side">
        <div className="isg-setup-name">Set up ISG Pro</div>
        <StepList />
        <span className="isg-spacer" />
        {aside}
      </div>
      {/* a step that is shown again is a new form: its heading takes the focus */}
      <Step key={state.step} />
    </div>
  );
}

/** The set-up assistant as the whole window, for an installation that is not set up. */
export function SetupAssistant() {
  return (
    <main className="isg-setup-page">
      <SetupSteps />
    </main>
  );
}
