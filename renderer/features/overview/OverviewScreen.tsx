import { Button } from '@mantine/core';
import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import type { Freshness } from '../../state/freshness.ts';
import { isBelievable } from '../../state/freshness.ts';
import { useNavigate } from '../../state/navigation.ts';
import { useAppState, useFreshness } from '../../state/use-app-state.ts';
import { useNow } from '../../state/use-now.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { plural } from '../../ui/format.ts';
import { ScreenHeader, Section } from '../../ui/ScreenHeader.tsx';
import { SkeletonBlock, SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { Findings } from './Findings.tsx';
import { overviewSentence } from './overview-sentence.ts';
import { RoleCard } from './RoleCard.tsx';
import { RunningJobs } from './RunningJobs.tsx';
import { roleCards } from './role-cards.ts';
import { StorageList } from './StorageList.tsx';
import { ThroughputPlot } from './ThroughputPlot.tsx';
import { UpdateNotice } from './UpdateNotice.tsx';
import './overview.css';

function OverviewSkeleton() {
  return (
    <>
      <div className="isg-cards">
        {['a', 'b', 'c', 'd'].map((key) => (
          <div key={key} className="isg-card">
            <SkeletonBlock height={16} width="45%" />
            <SkeletonBlock height={28} />
            <SkeletonBlock height={32} />
            <SkeletonBlock height={40} width="70%" />
          </div>
        ))}
      </div>
      <div className="isg-overview-columns">
        <Section title="Running on this node" isFlush>
          <SkeletonRows rows={4} height={56} />
        </Section>
        <Section title="Storages" isFlush>
          <SkeletonRows rows={3} height={72} />
        </Section>
      </div>
    </>
  );
}

function OverviewData({ snapshot, fresh }: { snapshot: NodeSnapshot; fresh: Freshness }) {
  const isLive = isBelievable(fresh);
  const count = snapshot.running.length;
  return (
    <>
      <div className="isg-cards">
        {roleCards(snapshot, fresh).map((card) => (
          <RoleCard key={card.role} card={card} />
        ))}
      </div>
      <div className="isg-overview-columns">
        <Section
          title={isLive ? 'Running on this node' : 'Ran on this node when last known'}
          aside={count === 0 ? null : <span className="isg-dim isg-small">{plural(count, 'job')}</span>}
          isFlush
        >
          <RunningJobs jobs={snapshot.running} asOfMs={isLive ? null : snapshot.atMs} />
        </Section>
        <Section
          title="Storages"
          aside={<span className="isg-dim isg-small">{plural(snapshot.storages.length, 'storage')}</span>}
          isFlush
        >
          <StorageList storages={snapshot.storages} isLive={isLive} />
        </Section>
      </div>
      <ThroughputPlot points={snapshot.throughput} untilMs={isLive ? null : snapshot.atMs} />
    </>
  );
}

/** How things stand: one sentence, what needs attention, then roles, work, storages and throughput. */
export function OverviewScreen() {
  const state = useAppState();
  const fresh = useFreshness();
  const nowMs = useNow();
  const navigate = useNavigate();
  if (state === null || fresh === null) return <OverviewSkeleton />;
  const { status, sentence, action } = overviewSentence(state, nowMs);
  const { snapshot } = state;
  const isComing = fresh.kind === 'none' || state.agent.state === 'starting';
  return (
    <>
      <ScreenHeader sentence={sentence} status={status}>
        {action === null ? null : (
          <Button variant="default" onClick={() => navigate(action.screen)}>
            {action.label}
          </Button>
        )}
      </ScreenHeader>
      <UpdateNotice state={state} />
      <Findings state={state} />
      {snapshot !== null && !snapshot.phase.startsWith('waiting') ? (
        <OverviewData snapshot={snapshot} fresh={fresh} />
      ) : isComing && snapshot === null ? (
        <OverviewSkeleton />
      ) : (
        <EmptyState title="No data yet">
          Roles, jobs, storages and throughput appear when this node runs and has reached iconik and the database.
        </EmptyState>
      )}
    </>
  );
}
