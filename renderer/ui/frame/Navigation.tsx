import {
  IconDatabase,
  IconFileText,
  IconHierarchy3,
  IconLayoutDashboard,
  IconListDetails,
  IconSettings,
  IconStethoscope,
} from '@tabler/icons-react';
import { navigate } from '../../state/navigation.ts';
import { formatRoute, SCREENS, type ScreenId } from '../../state/route.ts';
import { plural, sentenceCase } from '../format.ts';
import type { NavBadges } from './nav-badges.ts';

const ICONS: Record<ScreenId, typeof IconDatabase> = {
  overview: IconLayoutDashboard,
  cluster: IconHierarchy3,
  jobs: IconListDetails,
  storages: IconDatabase,
  logs: IconFileText,
  settings: IconSettings,
  diagnostics: IconStethoscope,
};

/** The screens, icon and word; a number stands only where there are problems. */
export function Navigation({ current, badges }: { current: ScreenId; badges: NavBadges }) {
  return (
    <nav className="isg-nav" aria-label="Screens">
      <div className="isg-nav-name">ISG Pro</div>
      {SCREENS.map((screen) => {
        const Icon = ICONS[screen];
        const count = badges[screen];
        return (
          <a
            key={screen}
            className="isg-nav-item"
            href={formatRoute({ screen, params: {} })}
            aria-current={screen === current ? 'page' : undefined}
            onClick={(event) => {
              event.preventDefault();
              navigate(screen);
            }}
          >
            <Icon size={18} stroke={1.6} aria-hidden />
            <span>{sentenceCase(screen)}</span>
            {count === undefined ? null : (
              <span className="isg-nav-badge">
                {count > 99 ? '99+' : count}
                <span className="isg-visually-hidden"> {plural(count, 'problem').replace(/^\S+ /, '')}</span>
              </span>
            )}
          </a>
        );
      })}
    </nav>
  );
}
