import { Button } from '@mantine/core';
import { IconCopy, IconStethoscope } from '@tabler/icons-react';
import { useState } from 'react';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { useAppState } from '../../state/use-app-state.ts';
import { useNow } from '../../state/use-now.ts';
import type { Finding } from '../../ui/findings/finding.ts';
import { diagnosisSentence, findingsAsText, findingsOf } from '../../ui/findings/findings.ts';
import { plural } from '../../ui/format.ts';
import { RelativeTime } from '../../ui/RelativeTime.tsx';
import { ScreenHeader, Section } from '../../ui/ScreenHeader.tsx';
import { SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { checkErrors } from './check-words.ts';
import { FindingCard } from './FindingCard.tsx';
import { FullCheck, runFullCheck } from './FullCheck.tsx';
import { judgedChecks } from './judged-checks.ts';
import { SendLogsButton } from './SendLogsButton.tsx';
import { SupportBundleButton, SupportBundleProgress } from './SupportBundle.tsx';
import './diagnostics.css';

/** What stands at the top: the node's own checks, unless the last full check saw more. */
function headline(state: AppState, findings: readonly Finding[]): string {
  const errors = checkErrors(state);
  if (findings.length > 0 || errors === 0) return diagnosisSentence(state, findings);
  return `The node’s own checks are in order, but the last full check found ${plural(errors, 'problem')}.`;
}

/** What is wrong, in the order of cause, with the way out of each. */
export function DiagnosticsScreen() {
  const nowMs = useNow();
  const state = useAppState();
  const [copied, setCopied] = useState('');
  const [said, setSaid] = useState('');
  if (state === null) return <SkeletonRows rows={4} height={96} />;
  const findings = findingsOf(state, nowMs);
  const checks = judgedChecks(state);
  const isChecking = state.check.runningSinceMs !== null;
  const run = () => runFullCheck(setSaid);
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
      <ScreenHeader sentence={headline(state, findings)}>
        <Button leftSection={<IconStethoscope size={16} />} loading={isChecking} onClick={run}>
          Run a full check
        </Button>
      </ScreenHeader>
      <div className="isg-diagnosis-line isg-small isg-dim">
        <span>
          Last report of this node: <RelativeTime atMs={state.snapshot?.atMs ?? null} never="none yet" />
        </span>
        <div className="isg-diagnosis-tools">
          <Button size="compact-sm" variant="default" leftSection={<IconCopy size={14} />} onClick={() => void copy()}>
            Copy findings
          </Button>
          <SendLogsButton isRunning={state.snapshot?.phase === 'running'} onSaid={setSaid} />
          <SupportBundleButton state={state} onSaid={setSaid} />
        </div>
      </div>
      <p className="isg-diagnosis-said isg-small" role="status">
        {[copied, said].filter((text) => text !== '').join(' ')}
      </p>
      <SupportBundleProgress bundle={state.bundle} />
      {findings.length === 0 ? null : (
        <ol className="isg-findings" aria-label="Findings">
          {findings.map((finding) => (
            <FindingCard key={finding.id} finding={finding} />
          ))}
        </ol>
      )}
      <FullCheck state={state} onRun={run} />
      <Section title="What this node watches">
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
