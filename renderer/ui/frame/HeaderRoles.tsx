import { Popover } from '@mantine/core';
import { type ChipState, RoleChip, RoleChips } from '../RoleChips.tsx';
import { rolesSummary } from './header-roles-model.ts';

type HeldRole = Parameters<typeof RoleChips>[0]['roles'][number];

const WORDS: Readonly<Record<ChipState, string>> = {
  working: 'Working.',
  paused: 'Paused.',
  unknown: 'Not known now, because the agent does not report.',
};

/** The roles of this node: as chips where the window is wide enough, else counted, with the chips a click away. */
export function HeaderRoles({ roles }: { roles: readonly HeldRole[] }) {
  const summary = rolesSummary(roles);
  if (summary === null) return null;
  return (
    <>
      <RoleChips roles={roles} />
      <Popover width={320} position="bottom-start" trapFocus returnFocus>
        <Popover.Target>
          <button type="button" className="isg-roles-button" data-testid="roles-button">
            <span className={`isg-role${summary.isHollow ? ' isg-role-hollow' : ''}`} aria-hidden>
              {summary.words}
            </span>
            <span className="isg-visually-hidden">Roles of this node: {summary.spoken}</span>
          </button>
        </Popover.Target>
        <Popover.Dropdown aria-label="Roles of this node">
          <ul className="isg-roles-list">
            {roles.map(({ role, state, why }) => (
              <li key={role}>
                <RoleChip role={role} state={state} why={why} />
                <span className={state === 'working' ? 'isg-dim' : ''}>{why === '' ? WORDS[state] : why}</span>
              </li>
            ))}
          </ul>
        </Popover.Dropdown>
      </Popover>
    </>
  );
}
