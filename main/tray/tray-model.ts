import type { AppState } from '../../preload/contract/app-state.ts';
import { type TrayIcon, trayIconOf } from './tray-icon.ts';
import {
  agentSentence,
  clip,
  count,
  healthLines,
  healthSummary,
  jobsLine,
  leaderLine,
  nodeSentence,
} from './tray-words.ts';

/** What a menu item does. `open` shows the window, at a screen when one is named. */
export type TrayAction =
  | { do: 'open'; screen: string | null }
  | { do: 'open-log-folder' }
  | { do: 'check' }
  | { do: 'pause' }
  | { do: 'resume' }
  | { do: 'drill' }
  | { do: 'restart-agent' }
  | { do: 'about' }
  | { do: 'quit' };

/** A line of the menu. */
export type TrayItem =
  | { kind: 'item'; id: string; label: string; enabled: boolean; action: TrayAction }
  | { kind: 'separator'; id: string };

/** Everything the tray shows. */
export interface TrayModel {
  icon: TrayIcon;
  /** Lines; at most 127 characters in all, the limit of Windows. */
  tooltip: string;
  items: TrayItem[];
}

const TOOLTIP_LIMIT = 127;
/** More health lines than these would push the actions off a small screen. */
const HEALTH_LINES = 4;

const item = (id: string, label: string, action: TrayAction, enabled = true): TrayItem => ({
  kind: 'item',
  id,
  label: clip(label),
  enabled,
  action,
});
const open = (screen: string | null): TrayAction => ({ do: 'open', screen });
const separator = (id: string): TrayItem => ({ kind: 'separator', id });

/** The tray of a state. `nowMs` is the wall clock; it only makes durations and the grace of a start. Pure. */
export function trayModel(state: AppState, nowMs: number): TrayModel {
  const isUp = state.agent.state === 'running' && state.snapshot !== null;
  return {
    icon: trayIconOf(state, nowMs),
    tooltip: tooltipOf(state, nowMs, isUp),
    items: [
      ...(isUp ? statusItems(state, nowMs) : agentItems(state)),
      ...updateItems(state),
      separator('after-status'),
      item('open', 'Open ISG Pro', open(null)),
      item('logs', 'Open logs', open('logs')),
      item('log-folder', 'Open log folder', { do: 'open-log-folder' }),
      item('diagnostics', 'Diagnostics', open('diagnostics')),
      item('check', state.check.runningSinceMs === null ? 'Run a check…' : 'A check is running…', { do: 'check' }),
      item('settings', 'Settings', open('settings')),
      separator('after-screens'),
      ...nodeItems(state, isUp),
      separator('after-node'),
      item('about', 'About ISG Pro', { do: 'about' }),
      item('quit', 'Quit ISG Pro', { do: 'quit' }),
    ],
  };
}

const RUNS_AS_SERVICE = 'Runs as a service, also when ISG Pro is not open';

function statusItems({ snapshot, agent }: AppState, nowMs: number): TrayItem[] {
  if (snapshot === null || agent.state !== 'running') return [];
  const sentence = item('sentence', nodeSentence(snapshot), open(snapshot.phase === 'set-up' ? null : 'overview'));
  const service = agent.service === undefined ? [] : [item('service', RUNS_AS_SERVICE, open('overview'))];
  if (snapshot.phase !== 'running')
    return [
      sentence,
      ...(snapshot.reason === '' ? [] : [item('reason', snapshot.reason, open('diagnostics'))]),
      ...service,
    ];
  // A duplicate leads nothing and runs nothing; what matters is who else has its id.
  if (snapshot.status.availability === 'duplicate')
    return [
      sentence,
      ...(snapshot.status.reason === '' ? [] : [item('reason', snapshot.status.reason, open('cluster'))]),
    ];
  const lines = healthLines(snapshot);
  const shown = lines.length > HEALTH_LINES ? lines.slice(0, HEALTH_LINES - 1) : lines;
  const health = shown.map((line, index) => item(`health-${index}`, line, open('diagnostics')));
  if (shown.length < lines.length)
    health.push(item('health-more', `and ${count(lines.length - shown.length, 'more problem')}`, open('diagnostics')));
  return [
    sentence,
    item('leader', leaderLine(snapshot, nowMs), open('cluster')),
    ...health,
    item('jobs', jobsLine(snapshot), open('jobs')),
    ...service,
  ];
}

// Nothing is said of leader, health and jobs: what was true when the agent was last heard may not be true now.
function agentItems(state: AppState): TrayItem[] {
  const sentence = agentSentence(state);
  const { problems } = state.config;
  const why = state.config.status === 'invalid' ? (problems[0] ?? '') : state.agent.reason;
  // The supervisor's words often begin with the same sentence.
  const news = (why.startsWith(sentence) ? why.slice(sentence.length) : why).trim();
  const first = item('sentence', sentence, open('overview'));
  return news === '' ? [first] : [first, item('reason', news, open('diagnostics'))];
}

function updateItems({ update, updateReady, appVersion }: AppState): TrayItem[] {
  if (updateReady !== null) {
    const doing = update.state === 'draining' ? 'is about to be installed' : 'is ready to install';
    return [item('update', `Version ${updateReady} ${doing}…`, open('overview'))];
  }
  const { last } = update;
  if (last === null || last.outcome === 'updated') return [];
  const runs = last.version === appVersion;
  if (last.outcome === 'failed')
    return runs
      ? [item('update', `Version ${last.version} does not work: install ${last.from} by hand`, open('overview'))]
      : [];
  if (runs) return [];
  return [item('update', `Version ${last.version} was not installed: ${appVersion} runs`, open('overview'))];
}

function nodeItems({ snapshot, agent }: AppState, isUp: boolean): TrayItem[] {
  const isWorking = isUp && snapshot?.phase === 'running' && snapshot.status.availability !== 'duplicate';
  const jobs = isWorking ? snapshot.running.length : 0;
  const finish = jobs === 0 ? '' : ` (${count(jobs, 'running job')} will finish)`;
  const interrupted = jobs === 0 ? '' : ` (interrupts ${count(jobs, 'running job')})`;
  const pause = snapshot?.isPaused
    ? item('resume', 'Resume this node', { do: 'resume' }, isWorking)
    : item('pause', `Pause this node${finish}`, { do: 'pause' }, isWorking);
  const { service } = agent;
  const restart = service
    ? item(
        'restart-agent',
        `${service.restart ?? 'Restart the service'}${interrupted}`,
        { do: 'restart-agent' },
        service.restart !== null,
      )
    : restartItem(agent.state, interrupted);
  return [pause, ...(isWorking ? drillItems(snapshot) : []), restart];
}

function restartItem(state: AppState['agent']['state'], interrupted: string): TrayItem {
  return state === 'stopped' || state === 'backing-off' || state === 'gave-up-for-now'
    ? item('restart-agent', 'Start agent now', { do: 'restart-agent' })
    : item('restart-agent', `Restart agent${interrupted}`, { do: 'restart-agent' }, state !== 'stopping');
}

// Only the leading node can begin one.
function drillItems({ leadership, cluster }: NonNullable<AppState['snapshot']>): TrayItem[] {
  if (leadership.standing !== 'leader') return [];
  const { refusal, last } = cluster.drill;
  const goesOn = last?.phase === 'handing-over' || last?.phase === 'handing-back';
  const words = goesOn ? ' (goes on)' : refusal === null ? '' : ' (not possible now)';
  return [item('drill', `Run failover drill${words}`, { do: 'drill' }, refusal === null)];
}

function tooltipOf(state: AppState, nowMs: number, isUp: boolean): string {
  const { snapshot } = state;
  const name = snapshot === null || snapshot.node.name === '' ? 'ISG Pro' : `ISG Pro · ${snapshot.node.name}`;
  const lines = isUp && snapshot !== null ? nodeTooltip(snapshot, nowMs) : [agentSentence(state)];
  if (state.updateReady !== null) lines.push(`Version ${state.updateReady} is ready`);
  return clip([clip(name, 40), ...lines].join('\n'), TOOLTIP_LIMIT);
}

function nodeTooltip(snapshot: NonNullable<AppState['snapshot']>, nowMs: number): string[] {
  if (snapshot.phase !== 'running') return [nodeSentence(snapshot)];
  if (snapshot.status.availability === 'duplicate') return ['Duplicate storage gateway id: this node does no work'];
  const rest = snapshot.isPaused ? 'Paused' : 'Cluster disabled';
  const standing = snapshot.isPaused || !snapshot.cluster.enabled ? rest : leaderLine(snapshot, nowMs);
  return [clip(standing, 44), healthSummary(snapshot, 40), jobsLine(snapshot)];
}
