import type { NodeSnapshot } from '../../../agent/contract/index.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { formatCount, formatList, plural } from '../../ui/format.ts';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { type RoleCoverage, roleCoverage, uncoveredConsequence } from './role-coverage.ts';

const NAMES_SHOWN = 3;

function names({ available, away }: RoleCoverage): string {
  const shown = available.slice(0, NAMES_SHOWN);
  const rest = available.length - shown.length;
  const words = rest > 0 ? [...shown, `${formatCount(rest)} more`] : shown;
  const missing =
    away.length === 0
      ? ''
      : `${words.length === 0 ? '' : ' · '}not available: ${formatList(away.slice(0, NAMES_SHOWN))}`;
  return `${formatList(words)}${missing}` || 'No node has this role';
}

function CoverageMark({
  coverage,
  isKnown,
  isEnabled,
}: {
  coverage: RoleCoverage;
  isKnown: boolean;
  isEnabled: boolean;
}) {
  if (!isKnown) return <StatusMark size={14} status="unknown" />;
  if (coverage.isCovered) return <StatusMark size={14} status="ok" label={plural(coverage.available.length, 'node')} />;
  return isEnabled ? (
    <StatusMark size={14} status="failing" label="Not covered" />
  ) : (
    <StatusMark size={14} status="unknown" label="Cluster is disabled" />
  );
}

/** Which roles are covered and by whom; warns with what stands still when one is not. */
export function RoleCoverageStrip({ snapshot, isLive }: { snapshot: NodeSnapshot; isLive: boolean }) {
  const { members, uncoveredRoles, enabled } = snapshot.cluster;
  const isWarning = isLive && enabled && uncoveredRoles.length > 0;
  return (
    <div className="isg-stack">
      {isWarning ? (
        <ErrorNotice
          status="warning"
          cause={`The cluster is not fully operational: no available node has ${formatList(uncoveredRoles, 'or')}.`}
          consequence={uncoveredConsequence(uncoveredRoles)}
          remedy="Give the role to an available node in iconik, or bring back a node that has it."
        />
      ) : null}
      <div className="isg-coverage">
        {roleCoverage(members, uncoveredRoles).map((coverage) => (
          <div key={coverage.role} className="isg-coverage-role" data-testid={`coverage-${coverage.role}`}>
            <b>{coverage.role}</b>
            <div>
              <CoverageMark coverage={coverage} isKnown={isLive} isEnabled={enabled} />
            </div>
            <div className="isg-dim isg-clamp" title={names(coverage)}>
              {names(coverage)}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}
