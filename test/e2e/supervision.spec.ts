import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import type { AppState } from '../../preload/contract/app-state.ts';
import { runGenerator } from '../demo/clips.ts';
import { type Desktop, type DesktopCluster, desktopCommand, openCluster, openDesktop } from './desktop.ts';
import { agentPid, hostMoves, mainLog, moveTo, tellMeasured } from './main-record.ts';
import { descendantsOf, stillRunning } from './process-tree.ts';
import { chooseTrayItem, trayHistory, trayNow } from './tray-recorder.ts';
import { watchWindow, windowSeen } from './window-watch.ts';

// One application lives through all of it, in this order: the last tests end it.
test.describe.configure({ mode: 'serial' });

/** Numbers that the supervision promises, milliseconds. */
const PROMISED = { exitSeen: 50, readyAgain: 1_500, unresponsiveShown: 3_000, childrenGone: 3_000 };
const OFTEN = { intervals: [50], timeout: 20_000 };

let open: DesktopCluster;
/** The application that runs now; tests that end it start another at the same place. */
let desktop: Desktop;
let page: Page;
let dataDir: string;

test.beforeAll(async () => {
  open = await openCluster();
  desktop = open.desktop;
  page = desktop.page;
  dataDir = open.place.dataDir;
});

test.afterAll(async () => {
  await desktop.close();
  await open.close();
});

async function stateOf(of: Page): Promise<AppState> {
  const result = await of.evaluate(() => window.isg.call('app.state', {}));
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

const phaseOf = async (of: Page): Promise<string> => {
  const { agent, snapshot } = await stateOf(of);
  return agent.state === 'running' ? (snapshot?.phase ?? 'no snapshot') : agent.state;
};

async function untilWorking(): Promise<void> {
  await expect.poll(() => phaseOf(page), { timeout: 30_000 }).toBe('running');
  await expect(page.getByTestId('agent-banner')).toHaveCount(0);
}

async function untilMovedTo(state: string, sinceMs: number) {
  await expect.poll(() => moveTo(dataDir, state, sinceMs)?.to, OFTEN).toBe(state);
  const move = moveTo(dataDir, state, sinceMs);
  if (!move) throw new Error(`the agent never was ${state}`);
  return move;
}

/** Kills the agent and waits until another works. */
async function killAgent(): Promise<{ killedMs: number; exitSeenMs: number; readyAgainMs: number }> {
  await untilWorking();
  await watchWindow(page);
  const killedMs = Date.now();
  process.kill(agentPid(dataDir), 'SIGKILL');
  const seen = await untilMovedTo('backing-off', killedMs);
  const ready = await untilMovedTo('running', killedMs);
  await untilWorking();
  const measured = { exitSeenMs: seen.atMs - killedMs, readyAgainMs: ready.atMs - killedMs };
  tellMeasured('agent killed', measured);
  return { killedMs, ...measured };
}

test('an agent that is killed is seen at once, said so everywhere, and replaced', async () => {
  await untilWorking();
  const before = agentPid(dataDir);
  const { killedMs, ...first } = await killAgent();
  const { states, banners } = await windowSeen(page);
  expect(states.map(({ agent }) => agent.state).slice(-3)).toEqual(['backing-off', 'starting', 'running']);
  const down = states.find(({ agent }) => agent.state === 'backing-off')?.agent;
  expect(down?.reason).toContain('(SIGKILL)');
  expect(down?.nextStartMs).toBeGreaterThan(killedMs);
  expect(banners.map(({ text }) => text).join('\n')).toContain('The agent has ended and will be started again.');
  const told = (await trayHistory(desktop.app)).filter(({ atMs }) => atMs >= killedMs);
  expect(told.find(({ icon }) => icon === 'agent-down')).toBeDefined();
  expect(told.map(({ tooltip }) => tooltip).join('\n')).toContain('The agent ended and will be started again.');
  expect(agentPid(dataDir)).not.toBe(before);

  // what else runs on this machine only adds to these times: one round that keeps the promise shows that it can be kept
  const rounds = [first];
  const isKept = (round: typeof first) =>
    round.exitSeenMs <= PROMISED.exitSeen && round.readyAgainMs <= PROMISED.readyAgain;
  while (rounds.length < 4 && !rounds.some(isKept)) {
    await restartByHand();
    rounds.push(await killAgent());
  }
  expect(rounds.filter(isKept), JSON.stringify(rounds)).not.toEqual([]);
});

/** After it the back-off begins anew. */
async function restartByHand(): Promise<void> {
  const askedMs = Date.now();
  await page.evaluate(() => window.isg.call('agent.restart', {}));
  await untilMovedTo('running', askedMs);
}

/** Until the agent's beat thread is connected, a frozen agent is not told from one with a hung loop. */
async function untilThreadBeats(): Promise<void> {
  const folder = `isg-pro-beat-${desktop.app.process().pid}-`;
  const connected = () =>
    readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .filter((line) => line.includes(folder) && line.split(/\s+/)[5] === '03').length;
  await expect.poll(connected).toBe(1);
}

test('a frozen agent is shown as unresponsive within 3 s and replaced after 5 s', async () => {
  await untilWorking();
  await untilThreadBeats();
  await watchWindow(page);
  const before = agentPid(dataDir);
  const stoppedMs = Date.now();
  process.kill(before, 'SIGSTOP');
  const unresponsive = await untilMovedTo('unresponsive', stoppedMs);
  await expect(page.getByTestId('agent-banner')).toContainText('The agent does not answer.');
  await expect.poll(async () => (await trayNow(desktop.app)).tooltip, OFTEN).toContain('The agent does not answer.');
  expect((await trayNow(desktop.app)).icon).toBe('agent-down');
  const ended = await untilMovedTo('stopping', stoppedMs);
  const ready = await untilMovedTo('running', stoppedMs);
  await untilWorking();

  const { states } = await windowSeen(page);
  const stopping = states.find(({ agent }) => agent.state === 'stopping')?.agent;
  expect(stopping?.reason).toContain('The agent was frozen for 5 seconds.');
  expect(agentPid(dataDir)).not.toBe(before);
  const measured = {
    unresponsiveMs: unresponsive.atMs - stoppedMs,
    endedMs: ended.atMs - stoppedMs,
    readyAgainMs: ready.atMs - stoppedMs,
  };
  tellMeasured('agent frozen', measured);
  expect(measured.unresponsiveMs).toBeLessThanOrEqual(PROMISED.unresponsiveShown);
});

test('an agent whose config.ini is wrong stays stopped, says why, and starts when the file is mended', async () => {
  await untilWorking();
  const good = readFileSync(open.place.configPath, 'utf8');
  const before = agentPid(dataDir);
  const banner = page.getByTestId('agent-banner');
  writeFileSync(open.place.configPath, good.replace('[main]', '[main]\nlog-level = loud'));
  await expect(banner).toContainText('config.ini has 1 problem.');
  await expect(banner).toContainText('log-level');
  expect((await stateOf(page)).agent.state, 'a running agent is left alone').toBe('running');
  expect(agentPid(dataDir)).toBe(before);

  const killedMs = Date.now();
  process.kill(before, 'SIGKILL');
  const stopped = await untilMovedTo('stopped', killedMs);
  expect(stopped.words).toContain('its configuration is wrong');
  await expect.poll(async () => (await trayNow(desktop.app)).tooltip).toContain('config.ini has 1 problem.');
  const { icon, items } = await trayNow(desktop.app);
  expect(icon).toBe('agent-down');
  expect(items.find(({ id }) => id === 'reason')?.label).toContain('log-level');
  expect(items.find(({ id }) => id === 'restart-agent')?.label).toBe('Start agent now');
  const { agent } = await stateOf(page);
  expect(agent).toMatchObject({ state: 'stopped', lastExitCode: 2, nextStartMs: null });

  const mendedMs = Date.now();
  writeFileSync(open.place.configPath, good);
  const ready = await untilMovedTo('running', mendedMs);
  await untilWorking();
  tellMeasured('config.ini mended', { readyAgainMs: ready.atMs - mendedMs });
});

test('an agent that always dies is tried ever more slowly, and the window says when next', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-e2e-'));
  const agentNode = join(dir, 'always-dies');
  writeFileSync(agentNode, '#!/bin/sh\necho "Error: the disk of this machine is gone" >&2\nexit 70\n');
  chmodSync(agentNode, 0o755);
  const place = { ...open.place, dataDir: join(dir, 'data'), userDataDir: join(dir, 'electron'), agentNode };
  const doomed = await openDesktop(place);
  try {
    await watchWindow(doomed.page);
    await expect.poll(() => hostMoves(place.dataDir, 0).filter(({ to }) => to === 'backing-off').length).toBe(4);
    const banner = doomed.page.getByTestId('agent-banner');
    await expect(banner).toContainText('The agent has ended and will be started again.');
    await expect(banner).toContainText('The agent ended because of a mistake in the program.');
    await expect(banner).toContainText('the disk of this machine is gone');
    await expect(banner).toContainText(/Next start in \d+ s\./);
    const { agent } = await stateOf(doomed.page);
    expect(agent).toMatchObject({ state: 'backing-off', lastExitCode: 70 });
    expect(agent.nextStartMs).toBeGreaterThan(agent.sinceMs);
    const { icon, tooltip } = await trayNow(doomed.app);
    expect({ icon, tooltip }).toEqual({
      icon: 'agent-down',
      tooltip: 'ISG Pro\nThe agent ended and will be started again.',
    });
    const waits = waitsBetweenRuns(place.dataDir);
    tellMeasured('crash loop', Object.fromEntries(waits.map((wait, at) => [`wait ${at + 1}`, wait])));
    expect(waits.length).toBe(3);
    for (const [at, nominal] of [500, 1_250, 3_125].entries()) expect(waits[at]).toBeGreaterThanOrEqual(nominal - 5);
  } finally {
    await doomed.close();
    rmSync(dir, { recursive: true, force: true });
  }
});

/** How long the supervisor waited from each end to the next start, milliseconds. */
function waitsBetweenRuns(of: string): number[] {
  const moves = hostMoves(of, 0);
  return moves.flatMap(({ to, atMs }, at) => {
    const before = moves[at - 1];
    return to === 'starting' && before?.to === 'backing-off' ? [atMs - before.atMs] : [];
  });
}

/** Windows and page processes that the application has now. */
function windowsOf(of: Desktop): Promise<{ windows: number; visible: number; pages: number }> {
  return of.app.evaluate(({ app, BrowserWindow }) => {
    const windows = BrowserWindow.getAllWindows();
    return {
      windows: windows.length,
      visible: windows.filter((window) => window.isVisible()).length,
      pages: app.getAppMetrics().filter(({ type }) => type === 'Tab').length,
    };
  });
}

async function closeWindow(): Promise<void> {
  await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
}

test('a closed window keeps no page process; the tray opens it again and the agent never noticed', async () => {
  await untilWorking();
  const agent = agentPid(dataDir);
  await closeWindow();
  expect((await windowsOf(desktop)).visible).toBe(0);
  await expect.poll(() => windowsOf(desktop), { timeout: 20_000 }).toEqual({ windows: 0, visible: 0, pages: 0 });
  const opened = desktop.app.waitForEvent('window');
  await chooseTrayItem(desktop.app, 'open');
  page = await opened;
  await untilWorking();
  expect(await windowsOf(desktop)).toMatchObject({ windows: 1, visible: 1 });
  expect(agentPid(dataDir)).toBe(agent);
});

test('a second start shows the first window and ends', async () => {
  const agent = agentPid(dataDir);
  await closeWindow();
  expect((await windowsOf(desktop)).visible).toBe(0);
  const { executablePath, args, cwd, env } = desktopCommand(open.place);
  const second = spawn(executablePath, args, { cwd, env, stdio: 'ignore' });
  const [code] = await once(second, 'exit');
  expect(code).toBe(0);
  await expect.poll(() => windowsOf(desktop)).toMatchObject({ windows: 1, visible: 1 });
  const isFocused = await desktop.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isFocused());
  expect(isFocused).toBe(true);
  expect(agentPid(dataDir), 'the first application keeps its agent').toBe(agent);
});

test('quitting from the tray ends the agent first, which gives its leadership back', async () => {
  await untilWorking();
  await expect.poll(async () => (await open.cluster.leader())?.name).toBe('node-a');
  const main = desktop.app.process();
  const agents = [agentPid(dataDir), ...descendantsOf(agentPid(dataDir)).map(({ pid }) => pid)];
  const processes = descendantsOf(main.pid ?? 0);
  const exited = once(main, 'exit');
  const quitMs = Date.now();
  await chooseTrayItem(desktop.app, 'quit');
  const [code] = await exited;
  tellMeasured('quit', { endedMs: Date.now() - quitMs });
  expect(code).toBe(0);
  expect(stillRunning(processes).filter(({ pid }) => agents.includes(pid))).toEqual([]);
  await expect.poll(() => stillRunning(processes)).toEqual([]);
  expect(await open.cluster.leader(), 'the lease is released, not left to lapse').toBeNull();
  expect(mainLog(dataDir).map(({ message }) => message)).toContain('Quit');
  expect(moveTo(dataDir, 'stopped', quitMs)).toBeDefined();
});

test('nothing outlives an application that is killed: neither the agent nor its ffmpeg', async () => {
  const short = join(open.dir, 'short.mov');
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=50:duration=2'];
  await runGenerator([...picture, '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', `file:${short}`]);
  const clip = join(open.cluster.mediaDir, 'long.mov');
  await runGenerator(['-stream_loop', '120', '-i', `file:${short}`, '-c', 'copy', `file:${clip}`]);
  desktop = await openDesktop(open.place);
  page = desktop.page;
  const main = desktop.app.process();
  const names = () => descendantsOf(main.pid ?? 0).map(({ name }) => name);
  await expect.poll(names, { timeout: 45_000 }).toContain('ffmpeg');
  const processes = descendantsOf(main.pid ?? 0);
  const exited = once(main, 'exit');
  const killedMs = Date.now();
  main.kill('SIGKILL');
  await exited;
  await expect
    .poll(() => stillRunning(processes).map(({ command }) => command), {
      intervals: [50],
      timeout: PROMISED.childrenGone,
    })
    .toEqual([]);
  tellMeasured('application killed', { processes: processes.length, allGoneMs: Date.now() - killedMs });
});
