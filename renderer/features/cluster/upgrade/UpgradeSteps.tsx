import {
  IconAlertOctagon,
  IconCircleCheckFilled,
  IconCircleDashed,
  IconDownload,
  IconHourglass,
  IconPlayerPlay,
  IconPlugConnectedX,
  IconStethoscope,
} from '@tabler/icons-react';
import { LeaderShapeMark } from '../../../ui/LeaderBadge.tsx';
import type { NodeStage } from './node-stage.ts';
import type { ClusterStep, NodeStep, UpgradePlan, UpgradeStep } from './upgrade-plan.ts';
import { clusterStepName, stageWord } from './upgrade-words.ts';

type Mark = NodeStage | 'waiting';

const MARKS: Record<Mark, typeof IconHourglass> = {
  'to-do': IconCircleDashed,
  draining: IconHourglass,
  waiting: IconHourglass,
  install: IconDownload,
  start: IconPlayerPlay,
  away: IconPlugConnectedX,
  resume: IconPlayerPlay,
  checking: IconStethoscope,
  done: IconCircleCheckFilled,
  blocked: IconAlertOctagon,
};

function StageMark({ stage, word }: { stage: Mark; word: string }) {
  const Shape = MARKS[stage];
  return (
    <span className={`isg-upgrade-stage isg-upgrade-${stage}`}>
      <Shape size={16} stroke={1.8} aria-hidden />
      <span>{word}</span>
    </span>
  );
}

function NodeLine({ step: { member }, target }: { step: NodeStep; target: string }) {
  const { name, host, roles, version, isLeader, isSelf } = member;
  return (
    <>
      <span className="isg-upgrade-name">
        <span className="isg-row">
          <b className="isg-truncate" title={name}>
            {name}
          </b>
          {isLeader ? (
            <span className="isg-primary">
              <LeaderShapeMark shape="crown-filled" size={13} />
              Primary
            </span>
          ) : null}
          {isSelf ? <span className="isg-tag">this node</span> : null}
        </span>
        <span className="isg-dim isg-mono isg-truncate" title={host}>
          {host}
        </span>
      </span>
      <span className="isg-upgrade-roles">{roles.join(' · ')}</span>
      <span className="isg-nowrap">
        {version}
        {version === target ? null : <span className="isg-dim"> → {target}</span>}
      </span>
    </>
  );
}

function ClusterLine({ step }: { step: ClusterStep }) {
  return (
    <span className="isg-upgrade-cluster">
      <b>{clusterStepName(step)}</b>
    </span>
  );
}

const keyOf = (step: UpgradeStep): string => (step.kind === 'node' ? step.member.workerId : step.to);

/** All steps in their order, each with its state; the one to attend to is marked. */
export function UpgradeSteps({ plan }: { plan: UpgradePlan }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling list must be reachable by keyboard.
    <section className="isg-upgrade-place" tabIndex={0} aria-label="Steps of the upgrade">
      <ol className="isg-upgrade-steps">
        {plan.steps.map((step) => {
          const isNext = step === plan.next;
          return (
            <li
              key={keyOf(step)}
              className={isNext ? 'isg-upgrade-step isg-upgrade-next-step' : 'isg-upgrade-step'}
              aria-current={isNext ? 'step' : undefined}
              data-stage={step.stage}
              data-testid={`upgrade-step-${keyOf(step)}`}
            >
              {step.kind === 'node' ? <NodeLine step={step} target={plan.target} /> : <ClusterLine step={step} />}
              <StageMark stage={step.stage} word={stageWord(step, plan)} />
            </li>
          );
        })}
      </ol>
    </section>
  );
}
