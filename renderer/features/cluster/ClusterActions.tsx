import { Button } from '@mantine/core';
import { useState } from 'react';
import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { callBridge } from '../../bridge/call.ts';
import { ConfirmDialog } from '../../ui/ConfirmDialog.tsx';
import { disableConsequences, enableConsequences, pauseConsequences } from './consequences.ts';
import { drillConsequences, drillOffer } from './drill-words.ts';

type Asked = 'pause' | 'resume' | 'disable' | 'enable' | 'drill';

interface Question {
  title: string;
  confirmLabel: string;
  tone: 'plain' | 'danger';
  lines: (snapshot: NodeSnapshot) => string[];
  act: () => Promise<unknown>;
}

const QUESTIONS: Record<Asked, Question> = {
  pause: {
    title: 'Pause this node?',
    confirmLabel: 'Pause this node',
    tone: 'plain',
    lines: pauseConsequences,
    act: () => callBridge('node.pause', {}),
  },
  resume: {
    title: 'Resume this node?',
    confirmLabel: 'Resume this node',
    tone: 'plain',
    lines: () => ['This node takes jobs again, and may lead if it has the role MAIN.'],
    act: () => callBridge('node.resume', {}),
  },
  disable: {
    title: 'Disable the whole cluster?',
    confirmLabel: 'Disable cluster',
    tone: 'danger',
    lines: disableConsequences,
    act: () => callBridge('cluster.set-enabled', { enabled: false }),
  },
  enable: {
    title: 'Enable the cluster?',
    confirmLabel: 'Enable cluster',
    tone: 'plain',
    lines: enableConsequences,
    act: () => callBridge('cluster.set-enabled', { enabled: true }),
  },
  drill: {
    title: 'Run a failover drill?',
    confirmLabel: 'Run failover drill',
    tone: 'plain',
    lines: drillConsequences,
    act: () => callBridge('cluster.drill', {}),
  },
};

/** Pause or resume this node, disable or enable the cluster, run a failover drill; each says first what happens to running jobs. */
export function ClusterActions({ snapshot }: { snapshot: NodeSnapshot }) {
  const [asked, setAsked] = useState<Asked>('pause');
  const [isOpen, setIsOpen] = useState(false);
  const ask = (what: Asked) => () => {
    setAsked(what);
    setIsOpen(true);
  };
  const { title, confirmLabel, tone, lines, act } = QUESTIONS[asked];
  const drill = drillOffer(snapshot);
  return (
    <>
      {drill.isOffered ? (
        <Button
          variant="default"
          onClick={ask('drill')}
          disabled={drill.refusal !== null}
          title={drill.refusal ?? undefined}
        >
          Run failover drill
        </Button>
      ) : null}
      {snapshot.cluster.enabled ? (
        <Button variant="default" onClick={ask(snapshot.isPaused ? 'resume' : 'pause')}>
          {snapshot.isPaused ? 'Resume this node' : 'Pause this node'}
        </Button>
      ) : null}
      {snapshot.cluster.id === null ? null : (
        <Button
          variant={snapshot.cluster.enabled ? 'default' : 'filled'}
          onClick={ask(snapshot.cluster.enabled ? 'disable' : 'enable')}
        >
          {snapshot.cluster.enabled ? 'Disable cluster' : 'Enable cluster'}
        </Button>
      )}
      <ConfirmDialog
        opened={isOpen}
        onClose={() => setIsOpen(false)}
        title={title}
        tone={tone}
        confirmLabel={confirmLabel}
        onConfirm={act}
        body={
          <ul className="isg-consequences">
            {lines(snapshot).map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        }
      />
    </>
  );
}
