import { Button } from '@mantine/core';
import { useState } from 'react';
import { asBridgeError, callBridge } from '../bridge/call.ts';
import { useAppState } from '../state/use-app-state.ts';
import { ConfirmDialog } from './ConfirmDialog.tsx';
import { plural } from './format.ts';
import { jobsAtStake } from './restart-agent-model.ts';

/** Restarts the agent; asks first when jobs run on this node. A refusal is said below the button. */
export function RestartAgentButton({ onRestarted }: { onRestarted?: () => void }) {
  const state = useAppState();
  const [isAsking, setIsAsking] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const running = jobsAtStake(state);
  const label = state?.agent.service?.restart ?? 'Restart agent';
  const what = state?.agent.service === undefined ? 'agent' : 'service';
  const restart = async () => {
    await callBridge('agent.restart', {});
    onRestarted?.();
  };
  const restartAtOnce = async () => {
    setIsBusy(true);
    setFailure('');
    try {
      await restart();
    } catch (thrown) {
      setFailure(asBridgeError(thrown).message);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <>
      <Button
        variant="default"
        loading={isBusy}
        onClick={() => (running > 0 ? setIsAsking(true) : void restartAtOnce())}
        data-testid="restart-agent"
      >
        {label}
      </Button>
      {failure === '' ? null : <span role="alert">{failure}</span>}
      <ConfirmDialog
        opened={isAsking}
        onClose={() => setIsAsking(false)}
        title={`Restart the ${what}?`}
        body={`${plural(running, 'job')} on this node ${running === 1 ? 'stops and is' : 'stop and are'} queued again; this node or another goes on with ${running === 1 ? 'it' : 'them'}. If this node leads, another takes over meanwhile.`}
        confirmLabel={label}
        onConfirm={restart}
      />
    </>
  );
}
