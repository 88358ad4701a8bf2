import { Button } from '@mantine/core';
import { IconCopy, IconRefresh } from '@tabler/icons-react';
import { useRef, useState } from 'react';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { useNow } from '../../state/use-now.ts';
import { diagnosisSentence, findingsAsText, findingsOf } from '../../ui/findings/findings.ts';
import { plural } from '../../ui/format.ts';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { ScreenHeader, Section } from '../../ui/ScreenHeader.tsx';
import { SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { FindingCard } from './FindingCard.tsx';
import { judgedChecks } from './judged-checks.ts';
import { SendLogsButton } from './SendLogsButton.tsx';
import './diagnostics.css';

/** The state on demand: what "run again" read counts until main sends something newer by itself. */
function useDiagnosis(): { state: AppState | null; isBusy: boolean; said: string; runAgain: () => Promise<void> } {
  const sent = useAppState();
  const newestSent = useRef(sent);
  newestSent.current = sent;
  const [asked, setAsked] = useState<{ state: AppState; over: AppState | null } | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const [said, setSaid] = useState('');
  const runAgain = async () => {
    setIsBusy(true);
    try {
      const state = await callBridge('app.state', {});
      setAsked({ state, over: newestSent.current });
      setSaid(`Looked again: ${plural(findingsOf(state, Date.now()).length, 'finding')}.`);
    } catch (thrown) {
      setSaid(`The state could not be read again: ${asBridgeError(thrown).message}`);
    } finally {
      setIsBusy(false);
    }
  };
  return { state: asked !== null && asked.over === sent ? asked.state : sent, isBusy, said, runAgain };
}

/** What is wrong, in the order of cause, with the way out of each. */
export function DiagnosticsScreen() {
  const nowMs = useNow();
  const { state, isBusy, said, runAgain } = useDiagnosis();
  const [copied, setCopied] = useState('');
  const [sent, setSent] = useState('');
  if (state === null) return <SkeletonRows rows={4} height={96} />;
  const findings = findingsOf(state, nowMs);
  const checks = judgedChecks(state);
  const copy = async () => {
    try {
      await callBridge('app.copy-text', { text: findingsAsText(state, findings, Date.now()) });
      setCopied('Copied.');
    } catch (thrown) {
      setCopied(asBridgeError(thrown).message);
    }
  };
  return (
    <>
      <ScreenHeader sentence={diagnosisSentence(state, findings)}>
        <Button variant="default" leftSection={<IconCopy size={16} />} onClick={() => void copy()}>
          Copy findings
        </Button>
        <SendLogsButton isRunning={state.snapshot?.phase === 'running'} onSaid={setSent} />
        <Button leftSection={<IconRefresh size={16} />} loading={isBusy} onClick={() => void runAgain()}>
          Run again
        </Button>
      </ScreenHeader>
      <div className="isg-diagnosis-said isg-small isg-dim">
        <span>
          Last report of this node: <RelativeTime atMs={state.snapshot?.atMs ?? null} never="none yet" />
        </span>
        <span role="status">{[said, copied, sent].filter((text) => text !== '').join(' ')}</span>
      </div>
      {findings.length === 0 ? null : (
        <ol className="isg-findings" aria-label="Findings">
          {findings.map((finding) => (
            <FindingCard key={finding.id} finding={finding} />
          ))}
        </ol>
      )}
      <Section title="What was checked">
        <ul className="isg-checked" data-testid="checks">
          {checks.map(({ name, status, label, detail }) => (
            <li key={name}>
              <span>{name}</span>
              <StatusMark status={status} label={label} />
              <span className="isg-dim">{detail}</span>
            </li>
          ))}
        </ul>
      </Section>
    </>
  );
}
