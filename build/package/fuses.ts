import { FuseState, FuseV1Options, getCurrentFuseWire } from '@electron/fuses';

/** State of every fuse of an Electron executable, by its name. `absent` = this Electron does not know it. */
export type FuseStates = Map<string, 'on' | 'off' | 'absent'>;

const NAMES = new Map(
  Object.entries(FuseV1Options).flatMap(([name, value]) => (typeof value === 'number' ? [[value, name] as const] : [])),
);

/** Reads what is burnt into the executable. Throws when it is not Electron's. */
export async function readFuses(executable: string): Promise<FuseStates> {
  const wire: Record<string, unknown> = { ...(await getCurrentFuseWire(executable)) };
  const states: FuseStates = new Map();
  for (const [index, name] of NAMES) {
    const state = wire[String(index)];
    states.set(name, state === FuseState.ENABLE ? 'on' : state === FuseState.DISABLE ? 'off' : 'absent');
  }
  return states;
}
