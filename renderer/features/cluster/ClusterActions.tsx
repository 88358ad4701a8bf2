import { Button } from '@mantine/core';
import { useState } from 'react';
import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { drillOffer } from './drill-words.ts';
import { type ClusterOrder, OrderDialog } from './OrderDialog.tsx';

/** Pause or resume this node, disable or enable the cluster, run a failover drill; each says first what happens to running jobs. */
export function ClusterActions({ snapshot }: { snapshot: NodeSnapshot }) {
  const [asked, setAsked] = useState<ClusterOrder>('pause');
  const [isOpen, setIsOpen] = useState(false);
  const ask = (what: ClusterOrder) => () => {
    setAsked(what);
    setIsOpen(true);
  };
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
      <OrderDialog order={asked} opened={isOpen} onClose={() => setIsOpen(false)} snapshot={snapshot} />
    </>
  );
}
