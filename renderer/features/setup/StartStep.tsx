import { Button } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { callBridge } from '../../bridge/call.ts';
import { navigate } from '../../state/navigation.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { useNow } from '../../state/use-now.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { RestartAgentButton } from '../../ui/RestartAgentButton.tsx';
import { type Status, StatusMark } from '../../ui/StatusMark.tsx';
import { type StartStage, startProgress } from './start-progress.ts';
import { endSetup, useSetup } from './use-setup.ts';

const SHOWN_AS: Readonly<Record<StartStage['status'], { status: Status; word: string }>> = {
  done: { status: 'ok', word: 'done' },
  waiting: { status: 'unknown', word: 'waiting' },
  failed: { status: 'failing', word: 'failed' },
  ahead: { status: 'unknown', word: 'not yet' },
};

/** After this long a way back is offered even when waiting may still help. */
const LONG_WAIT_MS = 30_000;

function leave(screen: 'overview' | 'diagnostics' | 'logs') {
  navigate(screen);
  endSetup();
}

/** What a full check finds stands on the screen that opens. */
function findOut() {
  callBridge('app.run-check', {}).catch(() => undefined);
  leave('diagnostics');
}

function WaysOn({ isRunning, offersHelp }: { isRunning: boolean; offersHelp: boolean }) {
  const { setup } = useSetup();
  if (isRunning) {
    return (
      <>
        <span className="isg-spacer" />
        <Button onClick={() => leave('overview')}>Open overview</Button>
      </>
    );
  }
  if (!offersHelp)
    return <span className="isg-dim isg-small">You may close this window; the node starts all the same.</span>;
  return (
    <>
      <Button variant="default" onClick={() => setup.tell({ type: 'started-over' })}>
        Change the answers
      </Button>
      <span className="isg-spacer" />
      <RestartAgentButton />
      <Button variant="default" onClick={findOut}>
        Find out what is wrong
      </Button>
    </>
  );
}

/** Step 5: config.ini is written; what the node waits for until it runs. */
export function StartStep() {
  const { state } = useSetup();
  const app = useAppState();
  const nowMs = useNow();
  const heading = useRef<HTMLHeadingElement>(null);
  const writtenMs = state.writtenMs ?? nowMs;
  const { stages, sentence, isRunning, needsPerson } = startProgress(app, writtenMs);
  useEffect(() => {
    heading.current?.focus();
  }, []);
  const offersHelp = needsPerson || state.error !== null || nowMs - writtenMs > LONG_WAIT_MS;
  return (
    <div className="isg-setup-form">
      <div className="isg-setup-body">
        <h1 ref={heading} tabIndex={-1}>
          {isRunning ? 'This node is set up' : 'Starting the node'}
        </h1>
        <p className="isg-setup-about" role="status" data-testid="start-sentence">
          {sentence}
        </p>
        <ol className="isg-stages" data-testid="stages">
          {stages.map(({ label, status, detail }) => (
            <li key={label} data-status={status} className={`isg-stage-${status}`}>
              <StatusMark status={SHOWN_AS[status].status} label={label} />
              <span className="isg-dim isg-small">{SHOWN_AS[status].word}</span>
              {detail === '' ? null : <p className="isg-stage-detail">{detail}</p>}
            </li>
          ))}
        </ol>
        <div role="alert">
          {state.error === null ? null : (
            <ErrorNotice
              cause={state.error}
              consequence="config.ini is written; the agent was not restarted."
              remedy="Restart the agent."
            />
          )}
        </div>
      </div>
      <footer className="isg-setup-foot">
        <WaysOn isRunning={isRunning} offersHelp={offersHelp} />
      </footer>
    </div>
  );
}
