import { CloseButton, SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import type { NodeSnapshot } from '../../../../agent/contract/index.ts';
import { useNow } from '../../../state/use-now.ts';
import { StatusShape } from '../../../ui/StatusMark.tsx';
import { nextWords } from './next-words.ts';
import { Term } from './Term.tsx';
import { UpgradeNext } from './UpgradeNext.tsx';
import { UpgradeSteps } from './UpgradeSteps.tsx';
import { type UpgradeFacts, type UpgradePlan, type UpgradeWay, upgradePlan } from './upgrade-plan.ts';
import { upgradeRisks } from './upgrade-risks.ts';
import { planSentence, riskWords } from './upgrade-words.ts';
import type { VersionMemory } from './version-memory-state.ts';
import './upgrade.css';

const WAYS: { value: UpgradeWay; label: string }[] = [
  { value: 'one-by-one', label: 'One node at a time' },
  { value: 'all-stopped', label: 'The vendor’s order' },
];

function WayWords({ way }: { way: UpgradeWay }) {
  const main = <Term meaning="The role of nodes that can lead: scanning, ingest, orders of iconik.">MAIN</Term>;
  return way === 'one-by-one' ? (
    <p>
      Recommended. The cluster stays on: nodes without {main} first, then followers, the{' '}
      <Term meaning="The node that leads the cluster now. Paused, it hands the lead over within seconds.">Primary</Term>{' '}
      last. Each is{' '}
      <Term meaning="A paused node finishes its jobs and takes no new ones, until it is resumed or restarted.">
        paused
      </Term>
      , gets the new version and comes back before the next one goes. Nodes that install updates by themselves also go
      one at a time, the Primary last: then there is nothing to do here but to watch.
    </p>
  ) : (
    <p>
      The cluster is{' '}
      <Term meaning="Switched off in iconik: running jobs finish, nobody leads, nothing is taken up.">disabled</Term>,
      nodes with {main} get the new version, then the others, and the cluster is enabled again. Nothing is scanned and
      ingested meanwhile.
    </p>
  );
}

/** What the guide shows, for the way that is chosen; without a choice, for the one that fits the cluster as it is. */
function useUpgrade(snapshot: NodeSnapshot, memory: VersionMemory) {
  const { members, enabled } = snapshot.cluster;
  const nowMs = useNow();
  const [chosen, setChosen] = useState<UpgradeWay | null>(null);
  const [leftOut, setLeftOut] = useState<ReadonlySet<string>>(new Set());
  const way: UpgradeWay = chosen ?? (enabled ? 'one-by-one' : 'all-stopped');
  const facts: UpgradeFacts = { members, enabled, way, nowMs, memory, leftOut };
  const plan = upgradePlan(facts);
  const leaveOut = (workerId: string) => setLeftOut((before) => new Set([...before, workerId]));
  return { facts, plan, way, choose: setChosen, leaveOut, takeBack: () => setLeftOut(new Set()) };
}

function UpgradeRisks(props: { plan: UpgradePlan; facts: UpgradeFacts; onTakeBack: () => void }) {
  const risks = upgradeRisks(props.plan, props.facts);
  if (risks.length === 0) return null;
  return (
    <ul className="isg-upgrade-risks" aria-label="To know before the next step">
      {risks.map((risk) => {
        const { cause, consequence, remedy } = riskWords(risk);
        const isQuiet = risk.kind === 'left-out';
        return (
          <li key={cause}>
            <StatusShape status={isQuiet ? 'unknown' : 'warning'} size={14} />
            <span>
              <b>{cause}</b> {consequence} <span className="isg-dim">{remedy}</span>
              {isQuiet && props.facts.leftOut.size > 0 ? (
                <button type="button" className="isg-link" onClick={props.onTakeBack}>
                  Count them again
                </button>
              ) : null}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** Leads through an upgrade of all nodes, from what the cluster shows now; its steps tick themselves off. */
export function UpgradeGuide(props: { snapshot: NodeSnapshot; memory: VersionMemory; onClose: () => void }) {
  const { snapshot, memory, onClose } = props;
  const { facts, plan, way, choose, leaveOut, takeBack } = useUpgrade(snapshot, memory);
  const { status, sentence } = planSentence(plan);
  const next = nextWords({ plan, way, enabled: facts.enabled });
  return (
    <section className="isg-section" aria-label="Upgrade guide" id="upgrade-guide">
      <div className="isg-section-head">
        <h2>Upgrade guide</h2>
        <span className="isg-row">
          <SegmentedControl
            size="xs"
            aria-label="Way of the upgrade"
            data={WAYS}
            value={way}
            onChange={(value) => choose(value as UpgradeWay)}
          />
          <CloseButton size="sm" aria-label="Close the upgrade guide" onClick={onClose} />
        </span>
      </div>
      <div className="isg-upgrade-head">
        <div className="isg-upgrade-sentence" data-testid="upgrade-sentence">
          {status === undefined ? null : <StatusShape status={status} />}
          <b>{sentence}</b>
        </div>
        <WayWords way={way} />
      </div>
      <span role="status" className="isg-visually-hidden">
        {sentence} {next === null ? '' : `Next: ${next.title}.`}
      </span>
      {next === null ? null : (
        <UpgradeNext words={next} snapshot={snapshot} isUrgent={plan.phase !== 'ready'} onLeaveOut={leaveOut} />
      )}
      <UpgradeRisks plan={plan} facts={facts} onTakeBack={takeBack} />
      <UpgradeSteps plan={plan} />
    </section>
  );
}
