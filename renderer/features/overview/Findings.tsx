import { Button } from '@mantine/core';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { freshness, isBelievable } from '../../state/freshness.ts';
import { useNavigate } from '../../state/navigation.ts';
import type { ScreenId } from '../../state/route.ts';
import { useNow } from '../../state/use-now.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import type { Finding, FindingAction } from '../../ui/findings/finding.ts';
import { findingsOf } from '../../ui/findings/findings.ts';
import { plural } from '../../ui/format.ts';

const SHOWN = 2;
const SCREENS: Partial<Record<FindingAction, { label: string; screen: ScreenId }>> = {
  'open-logs': { label: 'Open logs', screen: 'logs' },
  'open-settings': { label: 'Open settings', screen: 'settings' },
  'open-storages': { label: 'Open storages', screen: 'storages' },
  'open-cluster': { label: 'Open cluster', screen: 'cluster' },
  'resume-node': { label: 'Open cluster', screen: 'cluster' },
};

const goalOf = ({ actions }: Finding) => actions.map((action) => SCREENS[action]).find((goal) => goal !== undefined);

/** The gravest findings of the diagnostics, as cause, consequence and remedy; the rest is counted. Nothing when all is well. */
export function Findings({ state }: { state: AppState }) {
  const navigate = useNavigate();
  const nowMs = useNow();
  // Until the node runs, the banner above the screen says what it waits for.
  if (!isBelievable(freshness(state, nowMs)) || state.snapshot?.phase !== 'running') return null;
  const findings = findingsOf(state, nowMs).filter(({ severity }) => severity !== 'note');
  const rest = findings.length - SHOWN;
  if (findings.length === 0) return null;
  return (
    <section className="isg-overview-findings" aria-label="What needs attention">
      {findings.slice(0, SHOWN).map((finding) => {
        const goal = goalOf(finding);
        return (
          <ErrorNotice
            key={finding.id}
            status={finding.severity === 'critical' ? 'failing' : 'warning'}
            cause={finding.cause}
            consequence={finding.consequence}
            remedy={finding.remedy}
            action={
              goal === undefined ? null : (
                <Button variant="default" onClick={() => navigate(goal.screen)}>
                  {goal.label}
                </Button>
              )
            }
          />
        );
      })}
      {rest > 0 ? (
        <button type="button" className="isg-link isg-small" onClick={() => navigate('diagnostics')}>
          {plural(rest, 'more finding')} in Diagnostics
        </button>
      ) : null}
    </section>
  );
}
