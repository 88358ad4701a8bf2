import { Button } from '@mantine/core';
import { useState } from 'react';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { navigate } from '../../state/navigation.ts';
import type { FindingAction } from '../../ui/findings/finding.ts';
import { RestartAgentButton } from '../../ui/RestartAgentButton.tsx';

interface Doing {
  label: string;
  run: () => unknown;
}

const DOINGS: Readonly<Record<Exclude<FindingAction, 'restart-agent'>, Doing>> = {
  'resume-node': { label: 'Resume this node', run: () => callBridge('node.resume', {}) },
  'open-logs': { label: 'Open logs', run: () => navigate('logs') },
  'open-log-folder': { label: 'Open log folder', run: () => callBridge('app.open-log-folder', {}) },
  'open-settings': { label: 'Open settings', run: () => navigate('settings') },
  'open-set-up': { label: 'Open set-up assistant', run: () => navigate('settings', { assistant: 'open' }) },
  'open-storages': { label: 'Open storages', run: () => navigate('storages') },
  'open-cluster': { label: 'Open cluster', run: () => navigate('cluster') },
};

function DoingButton({ action }: { action: Exclude<FindingAction, 'restart-agent'> }) {
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const { label, run } = DOINGS[action];
  const click = async () => {
    setIsBusy(true);
    setFailure('');
    try {
      await run();
    } catch (thrown) {
      setFailure(asBridgeError(thrown).message);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <>
      <Button variant="default" loading={isBusy} onClick={() => void click()}>
        {label}
      </Button>
      {failure === '' ? null : <span role="alert">{failure}</span>}
    </>
  );
}

/** The buttons that do a finding's remedy. */
export function FindingActions({ actions }: { actions: readonly FindingAction[] }) {
  if (actions.length === 0) return null;
  return (
    <div className="isg-finding-actions">
      {actions.map((action) =>
        action === 'restart-agent' ? <RestartAgentButton key={action} /> : <DoingButton key={action} action={action} />,
      )}
    </div>
  );
}
