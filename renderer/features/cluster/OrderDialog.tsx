import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { callBridge } from '../../bridge/call.ts';
import { ConfirmDialog } from '../../ui/ConfirmDialog.tsx';
import { disableConsequences, enableConsequences, pauseConsequences } from './consequences.ts';
import { drillConsequences } from './drill-words.ts';

/** What can be asked of this node and of its cluster. */
export type ClusterOrder = 'pause' | 'resume' | 'disable' | 'enable' | 'drill';

interface Question {
  title: string;
  confirmLabel: string;
  tone: 'plain' | 'danger';
  lines: (snapshot: NodeSnapshot) => string[];
  act: () => Promise<unknown>;
}

const QUESTIONS: Record<ClusterOrder, Question> = {
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

/** What an order is called on its button. */
export const orderLabel = (order: ClusterOrder): string => QUESTIONS[order].confirmLabel;

/** Asks before an order, says what it does to running work, and gives it. */
export function OrderDialog(props: {
  order: ClusterOrder;
  opened: boolean;
  onClose: () => void;
  snapshot: NodeSnapshot;
}) {
  const { order, opened, onClose, snapshot } = props;
  const { title, confirmLabel, tone, lines, act } = QUESTIONS[order];
  return (
    <ConfirmDialog
      opened={opened}
      onClose={onClose}
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
  );
}
