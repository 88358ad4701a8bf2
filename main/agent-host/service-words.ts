import { SERVICE_NAME } from '../../agent/contract/index.ts';
import type { AgentState } from '../../preload/contract/app-state.ts';
import type { ServiceSituation, ServiceState } from './service-state.ts';

/** How the application stands with a system service, in words for people. Pure. */

/** What the words need besides the machine's state. */
export interface ServiceWordSources {
  /** Wall clock minus monotonic clock, milliseconds. */
  wallOffsetMs: number;
  platform: NodeJS.Platform;
  /** Of this application. */
  version: string;
  /** The last reason that the service gave for its end; empty when it gave none. */
  goodbye: string;
}

type Standing = NonNullable<AgentState['service']>;
type Told = Pick<AgentState, 'state' | 'reason'> & { service: Standing };

const HOW_TO_START: Partial<Record<NodeJS.Platform, string>> = {
  win32: 'It is the task "ISG Pro\\Agent" of the Task Scheduler, where an administrator starts it.',
  darwin: 'An administrator starts it by "sudo launchctl kickstart system/io.isg-pro.agent".',
};
const START_ON_LINUX = `An administrator starts it by "sudo systemctl start ${SERVICE_NAME}"; "journalctl -u ${SERVICE_NAME}" says why it ended.`;

/** The groups are those that `--install-service` makes, unless it was told others. */
const HOW_TO_ENTER: Partial<Record<NodeJS.Platform, string>> = {
  win32: 'Only administrators may talk with it: start ISG Pro as administrator.',
  darwin:
    'Your account is not in the group _isgpro. An administrator adds it by "sudo dseditgroup -o edit -a USER -t user _isgpro"; then log in again.',
};
const ENTER_ON_LINUX = `Your account is not in the group ${SERVICE_NAME}. An administrator adds it by "sudo usermod -aG ${SERVICE_NAME} USER"; then log in again.`;

const CONNECT_NOW = 'Connect now';
const RUN_HERE = 'Run the node in this application';
const RESTART = 'Restart the service';

function standing(at: Standing['at'], sentence: string, restart: string | null): Standing {
  return { at, sentence, restart };
}

function notRunning(
  { isInstalled, isRestarting }: Extract<ServiceSituation, { at: 'not-running' }>,
  { platform, goodbye }: ServiceWordSources,
): Told {
  if (isRestarting)
    return {
      state: 'backing-off',
      reason: 'The service is starting anew; this application connects as soon as it is back.',
      service: standing('not-running', 'The service is starting anew.', CONNECT_NOW),
    };
  const service = standing('not-running', 'The service is not running.', isInstalled ? CONNECT_NOW : RUN_HERE);
  const how = isInstalled
    ? (HOW_TO_START[platform] ?? START_ON_LINUX)
    : 'Start it, or press the button to let this application run the node instead.';
  const said = goodbye === '' || goodbye === 'The agent was stopped.' ? '' : ` It said: ${goodbye}`;
  const reason = `This node runs as a service of this machine.${said} ${how} This application connects by itself when it is back.`;
  return { state: 'backing-off', reason, service };
}

function otherVersion({ version, protocol }: Extract<ServiceSituation, { at: 'other-version' }>, own: string): Told {
  return {
    state: 'stopped',
    reason: `The service is version ${version} (protocol ${protocol}) and this application is version ${own}: they do not understand each other. The node itself works. Install the newer version of ISG Pro for both, then open this application again.`,
    service: standing('other-version', 'The service is another version than this application.', null),
  };
}

function told(situation: ServiceSituation, sources: ServiceWordSources): Told {
  switch (situation.at) {
    case 'own':
    case 'looking':
      return {
        state: 'starting',
        reason: 'Looking for a service that runs this node.',
        service: standing('connecting', 'ISG Pro is starting.', null),
      };
    case 'attached':
      if (situation.isSilent)
        return {
          state: 'unresponsive',
          reason:
            'The service does not answer. It may be busy; if it hangs, it ends itself after half a minute and is started anew.',
          service: standing('attached', 'The service does not answer.', RESTART),
        };
      return { state: 'running', reason: '', service: standing('attached', 'This node runs as a service.', RESTART) };
    case 'not-running':
      return notRunning(situation, sources);
    case 'forbidden':
      return {
        state: 'stopped',
        reason: `A service runs this node, and this application may not talk with it. ${HOW_TO_ENTER[sources.platform] ?? ENTER_ON_LINUX}`,
        service: standing('forbidden', 'A service runs here that your account may not talk with.', null),
      };
    case 'other-version':
      return otherVersion(situation, sources.version);
    case 'removed':
      return {
        state: 'stopped',
        reason:
          'The service that ran this node is no longer installed. Press the button to let this application run the node; at its next start it does so by itself.',
        service: standing('removed', 'The service was removed; this node does no work.', RUN_HERE),
      };
  }
}

/** The state as tray and window show it, while no agent of our own runs. */
export function serviceAgentState(state: ServiceState, sources: ServiceWordSources): AgentState {
  const { state: name, reason, service } = told(state.situation, sources);
  const nextStartMs =
    name === 'backing-off' && state.nextMs !== null ? Math.round(state.nextMs + sources.wallOffsetMs) : null;
  return {
    state: name,
    reason,
    sinceMs: Math.round(state.sinceMs + sources.wallOffsetMs),
    nextStartMs,
    lastExitCode: null,
    lastWords: [],
    service,
  };
}
