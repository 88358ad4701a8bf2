import { Button } from '@mantine/core';
import { useState } from 'react';
import type { BridgeAnswer } from '../../../preload/contract/bridge.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { plural } from '../../ui/format.ts';
import { RestartAgentButton } from '../../ui/RestartAgentButton.tsx';
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

/** What is wrong stands in the banner above every screen, and at the fields; here is the way back. */
function LastGood({ lastGoodMs, onRestored }: { lastGoodMs: number | null; onRestored: () => Promise<void> }) {
  const state = useAppState();
  if (state?.config.status !== 'invalid' || lastGoodMs === null) return null;
  return (
    <div data-testid="last-good-config">
      <ErrorNotice
        status="warning"
        cause="config.ini can be put back as it was last good."
        consequence="What was written into it since then is lost to the settings; the present file is kept beside it (config.ini.broken)."
        action={<RestoreButton lastGoodMs={lastGoodMs} onRestored={onRestored} />}
      />
    </div>
  );
}

/** What there is to say of config.ini as a file: what waits for a restart, what is wrong, what is doubtful. */
export function FileNotices({ config, reload }: { config: ConfigRead; reload: () => Promise<void> }) {
  const { waiting, warnings, lastGoodMs } = config;
  return (
    <>
      <RestartHint waiting={waiting} onRestarted={() => void reload()} />
      <LastGood lastGoodMs={lastGoodMs} onRestored={reload} />
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
