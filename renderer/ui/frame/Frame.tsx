import { type ReactNode, useEffect, useRef } from 'react';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { useRoute } from '../../state/navigation.ts';
import { useFreshness } from '../../state/use-app-state.ts';
import { useNow } from '../../state/use-now.ts';
import { AgentBanner } from './AgentBanner.tsx';
import { Footer } from './Footer.tsx';
import { Header } from './Header.tsx';
import { Navigation } from './Navigation.tsx';
import { navBadges } from './nav-badges.ts';
import './frame.css';

/** Navigation, header and footer around a screen. Opening another screen moves the focus into it. */
export function Frame({ state, children }: { state: AppState; children: ReactNode }) {
  const { screen } = useRoute();
  const fresh = useFreshness() ?? { kind: 'none' };
  const badges = navBadges(state, useNow());
  const main = useRef<HTMLElement>(null);
  const lastScreen = useRef(screen);
  useEffect(() => {
    if (lastScreen.current === screen) return;
    lastScreen.current = screen;
    main.current?.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [screen]);
  return (
    <div className="isg-frame">
      <Navigation current={screen} badges={badges} />
      <Header state={state} fresh={fresh} />
      <main className="isg-main" ref={main} tabIndex={-1}>
        <AgentBanner state={state} screen={screen} />
        {children}
      </main>
      <Footer state={state} fresh={fresh} />
    </div>
  );
}
