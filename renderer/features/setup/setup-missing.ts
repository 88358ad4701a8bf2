import { accountProblems, isPath, newGatewayProblems } from './setup-checks.ts';
import { chosenGateway, mountOf, type SetupState, storagesToMount } from './setup-state.ts';

/** What the step shown still needs before its button can be used, one sentence a thing; empty when nothing. Pure. */
export function stillMissing(state: SetupState): string[] {
  switch (state.step) {
    case 'account':
      return Object.values(accountProblems(state.account));
    case 'gateway':
      if (state.mode === 'new') return Object.values(newGatewayProblems(state.newGateway));
      return chosenGateway(state) === null ? ['Choose a storage gateway.'] : [];
    case 'mounts':
      return storagesToMount(state)
        .filter((storage) => !isPath(mountOf(state, storage).path))
        .map(({ name }) => `Choose the folder of ${name}.`);
    case 'review':
    case 'start':
      return [];
    default:
      return state.step satisfies never;
  }
}

/** Whether the button that leads on can be used now. Pure. */
export const mayContinue = (state: SetupState): boolean =>
  state.work === null && state.step !== 'start' && stillMissing(state).length === 0;
