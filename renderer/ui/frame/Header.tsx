import type { AppState } from '../../../preload/contract/app-state.ts';
import { type Freshness, isBelievable } from '../../state/freshness.ts';
import { LeaderBadge } from '../LeaderBadge.tsx';
import { ConnectionLights } from './ConnectionLights.tsx';
import { HeaderRoles } from './HeaderRoles.tsx';

/** Who this node is and how it stands. Without believable data leadership is unknown and no role counts as working. */
export function Header({ state, fresh }: { state: AppState; fresh: Freshness }) {
  const { snapshot } = state;
  const believe = isBelievable(fresh);
  const roles = snapshot?.roles ?? [];
  return (
    <header className="isg-header">
      <div className="isg-header-name isg-truncate" title={snapshot?.node.host}>
        {snapshot?.node.name ?? 'This node'}
      </div>
      <LeaderBadge
        leadership={believe ? (snapshot?.leadership ?? null) : null}
        history={snapshot?.cluster.history ?? []}
        isPaused={snapshot?.isPaused ?? false}
      />
      <HeaderRoles roles={believe ? roles : roles.map(({ role }) => ({ role, state: 'unknown' as const, why: '' }))} />
      <span className="isg-spacer" />
      <ConnectionLights snapshot={snapshot} fresh={fresh} />
    </header>
  );
}
