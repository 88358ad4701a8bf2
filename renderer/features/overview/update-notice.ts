import type { AppState } from '../../../preload/contract/app-state.ts';
import type { Status } from '../../ui/StatusMark.tsx';

/** What the overview says of updates. */
export interface UpdateWords {
  status: Status;
  cause: string;
  consequence: string;
  /** What may be asked for. */
  can: 'install-or-postpone' | 'postpone' | 'check' | 'nothing';
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
      if (isAsked) return { status: 'ok', cause: `Version ${version} is about to be installed.`, ...can('postpone') };
      return { status: 'ok', cause: `Version ${version} is ready.`, ...can('install-or-postpone') };
    }
    case 'draining':
      return {
        status: 'ok',
        cause: `Version ${version} is about to be installed.`,
        ...can(isAsked ? 'postpone' : 'install-or-postpone'),
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
      return standingWords(update, lastWords(update.last, appVersion, nowMs));
    case 'checking':
    case 'downloading':
      return null;
  }
}

/** A version that does not work and runs nevertheless comes before anything that is said of the next one. */
function standingWords(
  { state, version, why, last }: AppState['update'],
  told: UpdateWords | null,
): UpdateWords | null {
  if (why === '' || (told !== null && last?.outcome === 'failed')) return told;
  const can = state === 'idle' ? 'check' : 'nothing';
  if (version === null) return { status: 'unknown', cause: 'No updates.', consequence: why, can };
  return { status: 'warning', cause: `Version ${version} was not installed.`, consequence: why, can };
}

function lastWords(last: AppState['update']['last'], appVersion: string, nowMs: number): UpdateWords | null {
  if (last === null || nowMs - last.atMs > TOLD_MS) return null;
  const tell = (cause: string): UpdateWords => ({ status: 'warning', cause, consequence: last.why, can: 'nothing' });
  switch (last.outcome) {
    case 'updated':
      return null;
    case 'rolled-back':
      return tell(`Version ${last.version} did not work. Version ${appVersion} is back.`);
    case 'not-installed':
      return tell(`Version ${last.version} was not installed. Version ${appVersion} runs.`);
    case 'failed':
      // somebody has installed another one since
      if (last.version !== appVersion) return null;
      return tell(`Version ${last.version} does not work, and version ${last.from} was not put back.`);
  }
}
