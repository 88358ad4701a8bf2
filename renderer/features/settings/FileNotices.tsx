import { Button } from '@mantine/core';
import { useState } from 'react';
import type { BridgeAnswer } from '../../../preload/contract/bridge.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { plural } from '../../ui/format.ts';
import { RestartAgentButton } from '../../ui/RestartAgentButton.tsx';
import { withoutPath } from './config-problems.ts';
import { waitingWords } from './settings-summary.ts';

type ConfigRead = BridgeAnswer<'config.read'>;

function RestartHint({ waiting, onRestarted }: { waiting: readonly string[]; onRestarted: () => void }) {
  const state = useAppState();
  if (waiting.length === 0 || state?.agent.state !== 'running') return null;
  return (
    <div data-testid="restart-hint">
      <ErrorNotice
        status="warning"
        isLive
        {...waitingWords(waiting)}
        action={<RestartAgentButton onRestarted={onRestarted} />}
      />
    </div>
  );
}

function RestoreButton({ lastGoodMs, onRestored }: { lastGoodMs: number; onRestored: () => Promise<void> }) {
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const restore = async () => {
    setIsBusy(true);
    setFailure('');
    try {
      await callBridge('config.restore', {});
      await onRestored();
    } catch (thrown) {
      setFailure(asBridgeError(thrown).message);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <>
      <Button variant="default" loading={isBusy} onClick={() => void restore()} data-testid="restore-config">
        Go back to the copy of {new Date(lastGoodMs).toLocaleString()}
      </Button>
      {failure === '' ? null : <span role="alert">{failure}</span>}
    </>
  );
}

function BrokenFile({ config, onRestored }: { config: ConfigRead; onRestored: () => Promise<void> }) {
  const state = useAppState();
  if (state?.config.status !== 'invalid') return null;
  const problems = withoutPath(state.config.problems, config.path);
  const { lastGoodMs } = config;
  return (
    <div data-testid="broken-config">
      <ErrorNotice
        cause={`config.ini has ${plural(problems.length, 'problem')}.`}
        consequence="A running agent goes on with the last good settings; a new start of it would fail."
        remedy={
          lastGoodMs === null
            ? 'Correct the fields or lines that say so.'
            : 'Correct the lines, or go back to the last good copy; the present file is kept beside it (.broken).'
        }
        action={lastGoodMs === null ? undefined : <RestoreButton lastGoodMs={lastGoodMs} onRestored={onRestored} />}
      >
        <ul className="isg-problem-list">
          {problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      </ErrorNotice>
    </div>
  );
}

/** What there is to say of config.ini as a file: what waits for a restart, what is wrong, what is doubtful. */
export function FileNotices({ config, reload }: { config: ConfigRead; reload: () => Promise<void> }) {
  const { waiting, warnings } = config;
  return (
    <>
      <RestartHint waiting={waiting} onRestarted={() => void reload()} />
      <BrokenFile config={config} onRestored={reload} />
      {warnings.length === 0 ? null : (
        <div data-testid="config-warnings">
          <ErrorNotice
            status="warning"
            cause={`${plural(warnings.length, 'line')} of config.ini ${warnings.length === 1 ? 'is' : 'are'} without effect or doubtful.`}
          >
            <ul className="isg-problem-list">
              {warnings.map((warning) => (
                <li key={warning}>{warning}</li>
              ))}
            </ul>
          </ErrorNotice>
        </div>
      )}
    </>
  );
}
