import { Button } from '@mantine/core';
import { useState } from 'react';
import type { NodeSnapshot } from '../../../../agent/contract/index.ts';
import { type ClusterOrder, OrderDialog, orderLabel } from '../OrderDialog.tsx';
import type { NextWords } from './next-words.ts';

/** The one thing to do next, with its button. */
export function UpgradeNext(props: {
  words: NextWords;
  snapshot: NodeSnapshot;
  /** Whether an upgrade is under way; before one the button is not the main thing of the screen. */
  isUrgent: boolean;
  onLeaveOut: (workerId: string) => void;
}) {
  const { words, snapshot, isUrgent, onLeaveOut } = props;
  const { title, lines, call, mayLeaveOut } = words;
  const [asked, setAsked] = useState<ClusterOrder>('pause');
  const [isOpen, setIsOpen] = useState(false);
  const ask = (order: ClusterOrder) => () => {
    setAsked(order);
    setIsOpen(true);
  };
  return (
    <section className="isg-upgrade-next" aria-label="Next step">
      <div className="isg-upgrade-next-words">
        <div className="isg-upgrade-next-title">
          <span className="isg-dim">Next: </span>
          {title}
        </div>
        {lines.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
      {call === null ? null : (
        <Button variant={isUrgent ? 'filled' : 'default'} onClick={ask(call)}>
          {orderLabel(call)}
        </Button>
      )}
      {mayLeaveOut === null ? null : (
        <Button variant="default" onClick={() => onLeaveOut(mayLeaveOut.workerId)}>
          Leave {mayLeaveOut.name} out
        </Button>
      )}
      <OrderDialog order={asked} opened={isOpen} onClose={() => setIsOpen(false)} snapshot={snapshot} />
    </section>
  );
}
