import { Button } from '@mantine/core';
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { plural } from '../../ui/format.ts';
import { mayContinue, stillMissing } from './setup-missing.ts';
import type { SetupSession } from './setup-session.ts';
import { SETUP_STEPS, type SetupState } from './setup-state.ts';

/** What every step has: a heading that takes the focus, words, fields, trouble in words, and the two ways on. */
export interface StepFormProps {
  state: SetupState;
  setup: SetupSession;
  title: string;
  about: ReactNode;
  children: ReactNode;
  continueLabel: string;
  /** What to do when the work of this step fails. */
  remedy: string;
  onContinue?: () => void;
}

/** One step as a form: Enter goes on, as the button does. */
export function StepForm({ state, setup, title, about, children, continueLabel, remedy, onContinue }: StepFormProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.focus();
  }, []);
  const missingId = useId();
  const [missing, ...others] = state.work === null ? stillMissing(state) : [];
  const before = SETUP_STEPS[SETUP_STEPS.indexOf(state.step) - 1];
  return (
    <form
      className="isg-setup-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        onContinue?.();
        void setup.continue();
      }}
    >
      <div className="isg-setup-body">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <div className="isg-setup-about">{about}</div>
        {children}
        <div role="alert">{state.error === null ? null : <ErrorNotice cause={state.error} remedy={remedy} />}</div>
      </div>
      <footer className="isg-setup-foot">
        {before === undefined ? null : (
          <Button
            variant="default"
            disabled={state.work !== null}
            onClick={() => setup.tell({ type: 'went', step: before })}
          >
            Back
          </Button>
        )}
        <p id={missingId} className="isg-setup-missing isg-small isg-dim" data-testid="still-missing">
          {missing}
          {others.length === 0 ? '' : ` And ${plural(others.length, 'more thing')} to fill in.`}
        </p>
        <Button
          type="submit"
          aria-describedby={missingId}
          disabled={!mayContinue(state) && state.work === null}
          loading={state.work !== null}
        >
          {continueLabel}
        </Button>
      </footer>
    </form>
  );
}
