import { Button } from '@mantine/core';
import { IconCopy } from '@tabler/icons-react';
import { useEffect, useRef, useState } from 'react';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { useNow } from '../../state/use-now.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { Section } from '../../ui/ScreenHeader.tsx';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { CheckFinding } from './CheckFinding.tsx';
import { type CheckView, checkAsText, checkView, foundSentence } from './check-words.ts';
import { ProgressLine } from './ProgressLine.tsx';

/** A check takes at most this long where the machine is not overloaded; the bar waits short of its end. */
const USUAL_MS = 5_000;

/** Starts a full check; what comes of it stands in the state, so that only a refusal is told here. */
export function runFullCheck(onSaid: (words: string) => void): void {
  onSaid('');
  callBridge('app.run-check', {}).catch((thrown: unknown) =>
    onSaid(`The check was not started: ${asBridgeError(thrown).message}`),
  );
}

function Running({ sinceMs }: { sinceMs: number }) {
  const nowMs = useNow();
  const tookMs = Math.max(0, nowMs - sinceMs);
  return (
    <ProgressLine
      label="Full check"
      share={Math.min(0.95, tookMs / USUAL_MS)}
      doing="Looking at iconik, database, cluster, storages, ffmpeg and disk"
    />
  );
}

type Ended = Extract<CheckView, { kind: 'clean' | 'found' }>;

function Outcome({ view: { last } }: { view: Ended }) {
  const { findings, checked } = last.diagnosis;
  return (
    <>
      {findings.length === 0 ? (
        <StatusMark status="ok" label={foundSentence(findings)} />
      ) : (
        <>
          <p className="isg-check-sentence">{foundSentence(findings)}</p>
          <ol className="isg-findings" aria-label="Findings of the full check">
            {findings.map((finding, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a code may stand twice, and the list changes only as a whole.
              <CheckFinding key={at} finding={finding} />
            ))}
          </ol>
        </>
      )}
      <p className="isg-check-looked isg-small isg-dim">Looked at: {checked.join(', ')}.</p>
    </>
  );
}

function Body({ view, onRun }: { view: CheckView; onRun: () => void }) {
  switch (view.kind) {
    case 'never':
      return (
        <p className="isg-check-sentence isg-dim">
          Not run yet. It asks iconik, the database, the cluster, the storages and this machine at once, takes about
          five seconds, and names the likeliest cause first. It works without the agent, too.
        </p>
      );
    case 'running':
      return <Running sinceMs={view.sinceMs} />;
    case 'failed':
      return (
        <ErrorNotice
          cause="The full check could not be made."
          consequence={view.why}
          action={
            <Button variant="default" onClick={onRun}>
              Try again
            </Button>
          }
        />
      );
    default:
      return <Outcome view={view} />;
  }
}

function CopyResult({ state }: { state: AppState }) {
  const [said, setSaid] = useState('');
  const { last } = state.check;
  if (last === null) return null;
  const copy = () =>
    callBridge('app.copy-text', { text: checkAsText(state, last) }).then(
      () => setSaid('Copied.'),
      (thrown: unknown) => setSaid(asBridgeError(thrown).message),
    );
  return (
    <>
      <span role="status">{said}</span>
      <Button size="compact-sm" variant="subtle" leftSection={<IconCopy size={14} />} onClick={() => void copy()}>
        Copy result
      </Button>
    </>
  );
}

/** The full check on demand: not run, running, failed, nothing wrong, or findings with the likeliest cause first. */
export function FullCheck({ state, onRun }: { state: AppState; onRun: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  const { runningSinceMs, last } = state.check;
  const view = checkView(state.check);
  useEffect(() => {
    // The tray starts it, too: whoever asked for it is to see it.
    if (runningSinceMs !== null) place.current?.scrollIntoView({ block: 'nearest' });
  }, [runningSinceMs]);
  const isEnded = view.kind === 'clean' || view.kind === 'found';
  return (
    <div ref={place} data-testid="full-check" data-kind={view.kind}>
      <Section
        title="Full check"
        aside={
          <span className="isg-check-aside isg-small isg-dim">
            {isEnded ? (
              <span>
                <RelativeTime atMs={last?.atMs ?? null} />, took {((last?.tookMs ?? 0) / 1_000).toFixed(1)} s
              </span>
            ) : null}
            {isEnded ? <CopyResult state={state} /> : null}
          </span>
        }
      >
        <div aria-live="polite" aria-busy={view.kind === 'running'}>
          <Body view={view} onRun={onRun} />
        </div>
      </Section>
    </div>
  );
}
