import { MantineProvider } from '@mantine/core';
import { lazy, Suspense, useEffect } from 'react';
import type { AppState } from '../preload/contract/app-state.ts';
import { useBridgeEvent } from './bridge/use-bridge-event.ts';
import { OverviewScreen } from './features/overview/OverviewScreen.tsx';
import { navigate, useRoute } from './state/navigation.ts';
import { type ScreenId, screenOf } from './state/route.ts';
import { useAppState } from './state/use-app-state.ts';
import { ErrorBoundary } from './ui/ErrorBoundary.tsx';
import { Frame } from './ui/frame/Frame.tsx';
import { SkeletonRows } from './ui/SkeletonRows.tsx';
import { cssVariables, theme } from './ui/theme.ts';
import '@mantine/core/styles.layer.css';
import './ui/base.css';

/** All screens but the first are read when they are first opened: the window is there sooner. */
const LAZY: Record<Exclude<ScreenId, 'overview'>, React.ComponentType> = {
  cluster: lazy(async () => ({ default: (await import('./features/cluster/ClusterScreen.tsx')).ClusterScreen })),
  jobs: lazy(async () => ({ default: (await import('./features/jobs/JobsScreen.tsx')).JobsScreen })),
  storages: lazy(async () => ({ default: (await import('./features/storages/StoragesScreen.tsx')).StoragesScreen })),
  logs: lazy(async () => ({ default: (await import('./features/logs/LogsScreen.tsx')).LogsScreen })),
  settings: lazy(async () => ({ default: (await import('./features/settings/SettingsScreen.tsx')).SettingsScreen })),
  diagnostics: lazy(async () => ({
    default: (await import('./features/diagnostics/DiagnosticsScreen.tsx')).DiagnosticsScreen,
  })),
};
const SetupAssistant = lazy(async () => ({
  default: (await import('./features/setup/SetupAssistant.tsx')).SetupAssistant,
}));
const SetupDialog = lazy(async () => ({ default: (await import('./features/setup/SetupDialog.tsx')).SetupDialog }));

/** Whether this installation still has to be told its account and gateway. */
function needsSetUp(state: AppState): boolean {
  return state.config.status === 'absent' || (state.agent.state === 'running' && state.snapshot?.phase === 'set-up');
}

function Screen({ screen }: { screen: ScreenId }) {
  const Shown = screen === 'overview' ? OverviewScreen : LAZY[screen];
  return (
    <ErrorBoundary key={screen} name="This screen">
      <Suspense fallback={<SkeletonRows rows={8} />}>
        <Shown />
      </Suspense>
    </ErrorBoundary>
  );
}

function WindowContent() {
  const state = useAppState();
  const { screen, params } = useRoute();
  useBridgeEvent('navigate', (asked) => navigate(screenOf(asked.screen)));
  const name = state?.snapshot?.node.name;
  useEffect(() => {
    document.title = name === undefined ? 'ISG Pro' : `${name} – ISG Pro`;
  }, [name]);
  if (state === null) {
    return (
      <output className="isg-starting" aria-busy>
        Asking the application for its state
      </output>
    );
  }
  if (needsSetUp(state)) {
    return (
      <ErrorBoundary name="The set-up assistant">
        <Suspense fallback={<SkeletonRows rows={8} />}>
          <SetupAssistant />
        </Suspense>
      </ErrorBoundary>
    );
  }
  return (
    <Frame state={state}>
      <Screen screen={screen} />
      {params.assistant === 'open' ? (
        <ErrorBoundary name="The set-up assistant">
          <Suspense fallback={null}>
            <SetupDialog onClose={() => navigate(screen)} />
          </Suspense>
        </ErrorBoundary>
      ) : null}
    </Frame>
  );
}

/** The nonce that the page was served with; the content policy refuses styles without it. */
const styleNonce = (): string => document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? '';

/** The whole window, light or dark as the system says. */
export function App() {
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      getStyleNonce={styleNonce}
    >
      <WindowContent />
    </MantineProvider>
  );
}
