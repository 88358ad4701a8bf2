import { Checkbox } from '@mantine/core';
import type { ConfigEntry, TokenPlace } from '../../../preload/contract/bridge.ts';
import { useCall } from '../../bridge/use-call.ts';
import { navigate } from '../../state/navigation.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { plural } from '../../ui/format.ts';
import { configLines } from './config-plan.ts';
import { StepForm } from './StepForm.tsx';
import { chosenGateway, mountOf, storagesToMount } from './setup-state.ts';
import { useSetup } from './use-setup.ts';

const NO_ENTRIES: readonly ConfigEntry[] = [];

function TokenChoice({ token }: { token: TokenPlace | null }) {
  const { state, setup } = useSetup();
  const isKept = state.tokenPlace === 'key-store';
  const where = isKept
    ? 'The token is encrypted by this system and does not stand in the file. Only this application can hand it to the node.'
    : 'The token is written in full; it is masked only here.';
  return (
    <div className="isg-review-token">
      <Checkbox
        label="Keep the token in this system's key store instead of config.ini"
        checked={isKept}
        disabled={token === null || !token.canUseKeyStore}
        onChange={(event) =>
          setup.tell({ type: 'token-place-chosen', place: event.currentTarget.checked ? 'key-store' : 'file' })
        }
      />
      <p className="isg-small isg-dim">{token === null || token.canUseKeyStore ? where : `${token.why} ${where}`}</p>
    </div>
  );
}

/** Step 4: exactly what will be written, before it is. */
export function ReviewStep() {
  const { state, setup } = useSetup();
  const app = useAppState();
  const now = useCall('config.read', {});
  const lines = configLines(state, now.data?.entries ?? NO_ENTRIES);
  const path = now.data?.path ?? app?.config.path ?? '';
  const exists = app !== null && app.config.status !== 'absent';
  const storages = storagesToMount(state);
  return (
    <StepForm
      state={state}
      setup={setup}
      title="Check what will be written"
      about={
        exists
          ? 'These keys are changed in config.ini; everything else in the file stays as it is.'
          : 'config.ini does not exist yet; it is made with these lines.'
      }
      continueLabel="Write and start"
      remedy="Nothing was written. Check that this user may write the file, then try again."
      // The window leaves its set-up page as soon as config.ini is there; this is where it finds the assistant again.
      onContinue={() => navigate('settings', { assistant: 'open' })}
    >
      <div className="isg-review">
        <div className="isg-review-path isg-mono">{path}</div>
        <pre data-testid="config-preview">
          {'[main]\n'}
          {lines.map(({ key, shown, replaces }) => (
            <span key={key}>
              {`${key} = ${shown}`}
              {replaces === null ? null : <span className="isg-dim">{`   replaces ${replaces}`}</span>}
              {'\n'}
            </span>
          ))}
        </pre>
      </div>
      <TokenChoice token={now.data?.token ?? null} />
      <dl className="isg-review-facts">
        <dt>Storage gateway</dt>
        <dd>{chosenGateway(state)?.name}</dd>
        {storages.map((storage) => (
          <div key={storage.id} className="isg-review-fact">
            <dt>{storage.name}</dt>
            <dd className="isg-mono">{mountOf(state, storage).path}</dd>
          </div>
        ))}
      </dl>
      {state.problems.length === 0 ? null : (
        <ErrorNotice
          isLive
          cause={`config.ini was not written: ${plural(state.problems.length, 'problem')}.`}
          remedy="Go back to the step that asks for it, or correct the file by hand."
        >
          <ul className="isg-setup-problems">
            {state.problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </ErrorNotice>
      )}
    </StepForm>
  );
}
