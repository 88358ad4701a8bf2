import { isBelievable } from '../../state/freshness.ts';
import { useAppState, useFreshness } from '../../state/use-app-state.ts';
import { useNow } from '../../state/use-now.ts';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { plural } from '../../ui/format.ts';
import { ScreenHeader, Section } from '../../ui/ScreenHeader.tsx';
import { SkeletonRows } from '../../ui/SkeletonRows.tsx';
import { ClusterActions } from './ClusterActions.tsx';
import { ClusterNotices } from './ClusterNotices.tsx';
import { clusterSentence } from './cluster-sentence.ts';
import { LeadershipHistory } from './LeadershipBand.tsx';
import { MembersTable } from './MembersTable.tsx';
import { RoleCoverageStrip } from './RoleCoverageStrip.tsx';
import { UpgradeGuideButton, UpgradeSection } from './upgrade/UpgradeSection.tsx';
import './cluster.css';

/** The nodes, who leads, which roles are covered, and how leadership went in the last 24 hours. */
export function ClusterScreen() {
  const state = useAppState();
  const fresh = useFreshness();
  const nowMs = useNow();
  const snapshot = state?.snapshot ?? null;
  if (snapshot === null || fresh === null || snapshot.phase !== 'running') {
    const isComing =
      fresh !== null && (fresh.kind === 'none' || fresh.kind === 'live' || state?.agent.state === 'starting');
    return (
      <>
        <ScreenHeader sentence="The nodes of the cluster are not known yet." />
        <Section title="Nodes" isFlush>
          {isComing ? (
            <SkeletonRows rows={3} height={56} />
          ) : (
            <EmptyState title="No report from the agent">The nodes appear when the agent of this node runs.</EmptyState>
          )}
        </Section>
      </>
    );
  }
  const isLive = isBelievable(fresh);
  const { status, sentence } = clusterSentence(snapshot, fresh, nowMs);
  const { members, history } = snapshot.cluster;
  return (
    <>
      <ScreenHeader sentence={sentence} status={status}>
        {isLive ? (
          <>
            <ClusterActions snapshot={snapshot} />
            <UpgradeGuideButton />
          </>
        ) : null}
      </ScreenHeader>
      {isLive ? <ClusterNotices snapshot={snapshot} /> : null}
      {isLive ? <UpgradeSection snapshot={snapshot} /> : null}
      <RoleCoverageStrip snapshot={snapshot} isLive={isLive} />
      <Section
        title="Nodes"
        aside={<span className="isg-dim isg-small">{plural(members.length, 'node')}</span>}
        isFlush
      >
        {members.length === 0 ? (
          <EmptyState title="No node yet">A node appears here when it has registered in the database.</EmptyState>
        ) : (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling table must be reachable by keyboard.
          <section className="isg-members-place" tabIndex={0} aria-label="Table of nodes">
            <MembersTable snapshot={snapshot} isLive={isLive} />
          </section>
        )}
      </Section>
      <Section title="Leadership" isFlush>
        <LeadershipHistory history={history} isLive={isLive} />
      </Section>
    </>
  );
}
