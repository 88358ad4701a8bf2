import type { AppState } from '../../../preload/contract/app-state.ts';
import type { Status } from '../../ui/StatusMark.tsx';

/** What the overview says of updates. */
export interface UpdateWords {
  status: Status;
  cause: string;
  consequence: string;
  /** What may be asked for. */
  can: 'install' | 'install-or-postpone' | 'check' | 'nothing';
}

/** How long an update that did not come to stay is told of. */
const TOLD_MS = 7 * 86_400_000;

/** Null when there is nothing to say. `nowMs` is the wall clock. Pure. */
export function updateWords({ update, appVersion }: AppState, nowMs: number): UpdateWords | null {
  const { state, version, why, isAsked } = update;
  const can = (words: UpdateWords['can']) => ({ consequence: why, can: words });
  switch (state) {
    case 'ready':
    case 'waiting': {
      if (isAsked) return { status: 'ok', cause: `Version ${version} is about to be installed.`, ...can('nothing') };
      return { status: 'ok', cause: `Version ${version} is ready.`, ...can('install-or-postpone') };
    }
    case 'draining':
      return {
        status: 'ok',
        cause: `Version ${version} is about to be installed.`,
        ...can(isAsked ? 'nothing' : 'install'),
      };
    case 'installing':
      return { status: 'ok', cause: `Version ${version} is being installed. ISG Pro starts anew.`, ...can('nothing') };
    case 'confirming':
      return { status: 'ok', cause: `Version ${version} has been installed.`, ...can('nothing') };
    case 'rolling-back':
      return {
        status: 'warning',
        cause: `Version ${version} does not work. The old one is put back.`,
        ...can('nothing'),
      };
    case 'idle':
    case 'off':
      if (why !== '')
        return { status: 'unknown', cause: 'No updates.', ...can(state === 'idle' ? 'check' : 'nothing') };
      return lastWords(update.last, appVersion, nowMs);
    case 'checking':
    case 'downloading':
      return null;
  }
}

function lastWords(last: AppState['update']['last'], appVersion: string, nowMs: number): UpdateWords | null {
  if (last === null || last.outcome === 'updated' || nowMs - last.atMs > TOLD_MS) return null;
  const cause =
    last.outcome === 'rolled-back'
      ? `Version ${last.version} did not work. Version ${appVersion} is back.`
      : `Version ${last.version} was not installed. Version ${appVersion} runs.`;
  return { status: 'warning', cause, consequence: last.why, can: 'nothing' };
}
