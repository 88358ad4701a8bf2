import { Tooltip } from '@mantine/core';
import type { Role, RoleState } from '../../agent/contract/index.ts';
import './role-chips.css';

/** How a role is held; `unknown` = not known now (the agent does not report). */
export type ChipState = RoleState['state'] | 'unknown';

const HOLLOW: Record<Exclude<ChipState, 'working'>, string> = { paused: 'Paused', unknown: 'Not known now' };

/** One role as a chip: filled while working, else hollow and dashed; `why` is said on hover and to screen readers. */
export function RoleChip({ role, state = 'working', why = '' }: { role: Role; state?: ChipState; why?: string }) {
  if (state === 'working') return <span className="isg-role">{role}</span>;
  const words = why === '' ? HOLLOW[state] : `${HOLLOW[state]}: ${why}`;
  return (
    <Tooltip label={words}>
      <span className="isg-role isg-role-hollow">
        {role}
        <span className="isg-visually-hidden"> ({words})</span>
      </span>
    </Tooltip>
  );
}

/** The roles of this node. */
export function RoleChips({ roles }: { roles: readonly { role: Role; state: ChipState; why: string }[] }) {
  return (
    <span className="isg-roles">
      {roles.map(({ role, state, why }) => (
        <RoleChip key={role} role={role} state={state} why={why} />
      ))}
    </span>
  );
}
