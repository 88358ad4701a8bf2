import { Button } from '@mantine/core';
import { useState } from 'react';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { useNow } from '../../state/use-now.ts';
import { ConfirmDialog } from '../../ui/ConfirmDialog.tsx';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { plural } from '../../ui/format.ts';
import { jobsAtStake } from '../../ui/restart-agent-model.ts';
import { updateWords } from './update-notice.ts';

/** A new version: that it is ready, what it waits for, and the two things a person can do about it. */
export function UpdateNotice({ state }: { state: AppState }) {
  const nowMs = useNow();
  const [isAsking, setIsAsking] = useState(false);
  const [failure, setFailure] = useState('');
  const words = updateWords(state, nowMs);
  if (words === null) return null;
  const ask = (name: 'app.check-for-update' | 'app.postpone-update') => {
    setFailure('');
    callBridge(name, {}).catch((thrown: unknown) => setFailure(asBridgeError(thrown).message));
  };
  const { can } = words;
  const jobs = jobsAtStake(state);
  return (
    <section aria-label="Update" data-testid="update">
      <ErrorNotice
        status={words.status}
        cause={words.cause}
        consequence={words.consequence}
        isLive
        action={
          can === 'nothing' ? null : (
            <div className="isg-row">
              {can === 'install-or-postpone' || can === 'postpone' ? (
                <Button variant="default" onClick={() => ask('app.postpone-update')}>
                  Later
                </Button>
              ) : null}
              {can === 'check' ? (
                <Button variant="default" onClick={() => ask('app.check-for-update')}>
                  Look again
                </Button>
              ) : null}
              {can === 'install-or-postpone' ? <Button onClick={() => setIsAsking(true)}>Install now</Button> : null}
            </div>
          )
        }
      >
        {failure === '' ? null : <span role="alert">{failure}</span>}
      </ErrorNotice>
      <ConfirmDialog
        opened={isAsking}
        onClose={() => setIsAsking(false)}
        title={`Install version ${state.update.version ?? ''} now?`}
        body={`${jobsWords(jobs)} If this node leads, another takes over first. ISG Pro starts anew; if the new version does not work, this one comes back where that is possible.`}
        confirmLabel="Install now"
        onConfirm={() => callBridge('app.install-update', {})}
      />
    </section>
  );
}

function jobsWords(jobs: number): string {
  if (jobs === 0) return 'No job runs on this node.';
  const [verb, pronoun] = jobs === 1 ? ['gets', 'it'] : ['get', 'they'];
  return `${plural(jobs, 'job')} on this node ${verb} a minute to end; after that ${pronoun} ${jobs === 1 ? 'is' : 'are'} queued again.`;
}
