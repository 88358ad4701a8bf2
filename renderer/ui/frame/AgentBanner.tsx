import { Button } from '@mantine/core';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { useNavigate } from '../../state/navigation.ts';
import type { ScreenId } from '../../state/route.ts';
import { useNow } from '../../state/use-now.ts';
import { ErrorNotice } from '../ErrorNotice.tsx';
import { RestartAgentButton } from '../RestartAgentButton.tsx';
import { agentBanner, isBannerAFinding } from './agent-banner-model.ts';

/**
 * Says above every screen that the agent is down, silent, starting or waiting, with its reason and last words; above
 * Diagnostics only what is no finding there.
 */
export function AgentBanner({ state, screen }: { state: AppState; screen: ScreenId }) {
  const navigate = useNavigate();
  const nowMs = useNow();
  const banner = agentBanner(state, nowMs);
  if (banner === null || (screen === 'diagnostics' && isBannerAFinding(state, nowMs))) return null;
  const { action, lines, ...words } = banner;
  return (
    <div className="isg-banner" data-testid="agent-banner">
      <ErrorNotice
        {...words}
        isLive
        action={
          action === 'restart-agent' ? (
            <RestartAgentButton />
          ) : action === 'open-settings' ? (
            <Button variant="default" onClick={() => navigate('settings')}>
              Open settings
            </Button>
          ) : null
        }
      >
        {lines.length === 0 ? null : <pre className="isg-last-words">{lines.join('\n')}</pre>}
      </ErrorNotice>
    </div>
  );
}
