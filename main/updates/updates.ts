import type { AgentHost } from '../agent-host/agent-host.ts';
import type { AppStateStore } from '../lifecycle/app-state-store.ts';
import type { Log } from '../logging/main-log.ts';
import { reachedCluster } from './cluster-report.ts';
import { type GoBackParts, goBack, hindranceOf } from './go-back.ts';
import { runInstall, wordsOf } from './install-run.ts';
import type { Installer } from './installer.ts';
import { nodeFacts } from './node-facts.ts';
import { keepOldProgram, type OldProgramFacts } from './old-program.ts';
import { notBack, type RunStart } from './start-plan.ts';
import { readMemory, type UpdateMemory, writeMemory } from './update-memory.ts';
import { UPDATE_LIMITS, type UpdateCommand, type UpdateEvent, type UpdateState } from './update-model.ts';
import type { UpdateChoice } from './update-settings.ts';
import { nextUpdate } from './update-state.ts';
import { readyVersion, updateView } from './update-words.ts';

/** What updates are made of. */
export interface UpdateParts {
  installer: Installer;
  host: Pick<AgentHost, 'call' | 'start' | 'stop'>;
  store: AppStateStore;
  readChoice(): Promise<UpdateChoice>;
  memoryFile: string;
  /** How this run begins (start-plan.ts). */
  begin: RunStart;
  version: string;
  old: OldProgramFacts;
  /** Arguments with which the new version, or the old one again, is started. */
  args: readonly string[];
  lock: GoBackParts['lock'];
  /** Ends this process at once: the old version has been started in its place. */
  exit: () => void;
  /** Milliseconds; default 5 minutes. */
  installLimitMs?: number;
  log: Log;
}

/** Updates of this program. */
export interface Updates {
  /** Reads config.ini; call at the start and at each change. */
  follow(): Promise<void>;
  check(): void;
  install(): void;
  postpone(): void;
  stop(): void;
}

/** How often a state looks at the node, milliseconds; the store tells of changes besides. */
const LOOK_MS: Readonly<Partial<Record<UpdateState['state'], number>>> = {
  ready: 0,
  waiting: 5_000,
  draining: 1_000,
  confirming: 5_000,
  idle: 60_000,
};
const CALL_LIMIT_MS = 10_000;

/** Updates that have not begun: `follow` begins them. */
export function createUpdates(parts: UpdateParts): Updates {
  return new UpdateRunner(parts);
}

/** Performs the commands of `nextUpdate` and feeds events back; decides nothing itself. */
class UpdateRunner implements Updates {
  readonly #parts: UpdateParts;
  #state: UpdateState = { state: 'off', why: '' };
  #memory: UpdateMemory;
  #choice: UpdateChoice | null = null;
  readonly #events: UpdateEvent[] = [];
  #timer: NodeJS.Timeout | null = null;
  #delivery: Promise<void> | null = null;
  #isStopped = false;
  /** The installation under way. */
  #attempt: AbortController | null = null;
  readonly #unsubscribe: () => void;

  constructor(parts: UpdateParts) {
    this.#parts = parts;
    this.#memory = readMemory(parts.memoryFile);
    const { begin } = parts;
    if (begin.kind === 'confirming') {
      const { version, turn, canGoBack } = begin;
      const nowMs = performance.now();
      const untilMs = nowMs + UPDATE_LIMITS.confirmMs;
      this.#state = {
        state: 'confirming',
        version,
        turn,
        canGoBack,
        untilMs,
        heldMs: nowMs,
        upSinceMs: null,
        waitingSinceMs: null,
      };
    }
    // an agent that went down and came back between two looks must not be missed
    this.#unsubscribe = parts.store.subscribe(() => {
      if (this.#state.state === 'draining' || this.#state.state === 'confirming') this.#dispatch({ kind: 'tick' });
    });
    this.#publish();
    this.#arm();
  }

  async follow(): Promise<void> {
    this.#choice = await this.#parts.readChoice();
    const { feed, why } = this.#choice;
    this.#dispatch(feed === null ? { kind: 'feed-off', why } : { kind: 'feed-on' });
  }

  check(): void {
    this.#dispatch({ kind: 'check-asked' });
  }

  install(): void {
    this.#parts.log.info('A person asked to install the update now');
    this.#dispatch({ kind: 'install-asked' });
  }

  postpone(): void {
    this.#dispatch({ kind: 'postponed' });
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#giveUp();
    this.#unsubscribe();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  // The one road between states. Events that come up meanwhile wait their turn.
  #dispatch(event: UpdateEvent): void {
    if (this.#isStopped) return;
    this.#events.push(event);
    if (this.#events.length > 1) return;
    for (let next = this.#events[0]; next !== undefined; next = this.#events[0]) {
      const before = this.#state;
      const step = nextUpdate(before, next, this.#facts(before), { checkMs: this.#choice?.checkMs ?? 3_600_000 });
      this.#state = step.state;
      if (step.state.state !== before.state)
        this.#parts.log.info(`Update: ${step.state.state}`, { from: before.state, why: next.kind });
      for (const command of step.commands) void this.#perform(command);
      this.#events.shift();
    }
    this.#publish();
    this.#arm();
  }

  #facts({ state }: UpdateState) {
    return nodeFacts(this.#parts.store.get(), {
      nowMs: performance.now(),
      isInWindow: this.#choice?.isInWindow(new Date()) ?? false,
      // it writes a file: only where the answer counts
      canInstallAlone: state === 'waiting' && this.#parts.installer.canInstallAlone(),
    });
  }

  #publish(): void {
    const update = updateView(this.#state, this.#memory.last);
    const now = this.#parts.store.get();
    if (JSON.stringify(now.update) === JSON.stringify(update)) return;
    this.#parts.store.update({ update, updateReady: readyVersion(this.#state) });
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const ms = LOOK_MS[this.#state.state];
    if (ms === undefined || this.#isStopped) return;
    this.#timer = setTimeout(() => {
      void this.#deliverReport();
      this.#dispatch({ kind: 'tick' });
    }, ms);
  }

  async #perform(command: UpdateCommand): Promise<void> {
    const { host, log } = this.#parts;
    switch (command.do) {
      case 'check':
        return this.#check();
      case 'download':
        return this.#download();
      case 'claim':
        return this.#claim(command.version, command.isAsked);
      case 'pause':
      case 'resume':
        await host
          .call(`node.${command.do}`, {}, { limitMs: CALL_LIMIT_MS })
          .catch((thrown: unknown) => log.warn(`The agent did not ${command.do}`, { error: thrown }));
        return;
      case 'hold':
        return this.#hold(command.turn, command.isInstalling);
      case 'report':
        this.#tryToRemember({ report: { turn: command.turn, outcome: command.outcome, version: command.version } });
        return this.#deliverReport();
      case 'install':
        return this.#install(command.version, command.turn);
      case 'confirm':
        return this.#confirm(command.version);
      case 'roll-back':
        return this.#rollBack(command.version, command.why);
      case 'start-agent':
        host.start();
    }
  }

  /** In one write: a kill between two would leave the cluster waiting for this node. */
  #confirm(version: string): void {
    const { pending, failed } = this.#memory;
    const from = pending?.from ?? '';
    this.#tryToRemember({
      pending: null,
      last: { outcome: 'updated', version, from, why: '', atMs: Date.now() },
      failed: failed.filter((other) => other !== version),
      report: { turn: pending?.turn ?? null, outcome: 'installed', version },
    });
  }

  async #check(): Promise<void> {
    const feed = this.#choice?.feed ?? null;
    if (feed === null) return this.#dispatch({ kind: 'none' });
    try {
      const version = await this.#parts.installer.check(feed);
      this.#dispatch(version === null ? { kind: 'none' } : { kind: 'found', version });
    } catch (thrown) {
      this.#failed('Looking for a new version failed', thrown);
    }
  }

  async #download(): Promise<void> {
    try {
      await this.#parts.installer.download((percent) => this.#dispatch({ kind: 'progress', percent }));
      const version = this.#state.state === 'downloading' ? this.#state.version : '';
      this.#dispatch({ kind: 'downloaded', version, hasFailedHere: this.#memory.failed.includes(version) });
    } catch (thrown) {
      this.#failed('The new version could not be fetched', thrown);
    }
  }

  #failed(what: string, thrown: unknown): void {
    this.#parts.log.warn(what, { error: thrown });
    this.#dispatch({ kind: 'failed', why: `${what}: ${wordsOf(thrown)}` });
  }

  async #claim(version: string, isAsked: boolean): Promise<void> {
    try {
      await this.#deliverReport();
      const answer = await this.#parts.host.call('update.claim-turn', { version, isAsked }, { limitMs: CALL_LIMIT_MS });
      if (answer.kind === 'yours') this.#dispatch({ kind: 'claimed', turn: answer.turn });
      else this.#dispatch({ kind: 'refused', wait: { for: answer.because ?? answer.why, node: answer.node } });
    } catch (thrown) {
      this.#parts.log.info('The cluster could not be asked for the turn to update', { error: thrown });
      this.#dispatch({ kind: 'refused', wait: { for: 'agent-down', node: '' } });
    }
  }

  async #hold(turn: number, isInstalling: boolean): Promise<void> {
    try {
      if (isInstalling && this.#state.state === 'draining') await this.#keepEarly();
      if (this.#isStopped) return;
      const params = { turn, isInstalling };
      const { isHeld } = await this.#parts.host.call('update.hold-turn', params, { limitMs: CALL_LIMIT_MS });
      if (!isHeld) this.#dispatch({ kind: 'turn-lost' });
      else if (isInstalling) this.#dispatch({ kind: 'cleared' });
    } catch (thrown) {
      this.#parts.log.info('The turn to update could not be renewed', { error: thrown });
      if (isInstalling) this.#dispatch({ kind: 'hold-failed' });
    }
  }

  /** What takes long comes before the cluster is told that the program is being replaced. What fails here is told when it is needed. */
  async #keepEarly(): Promise<void> {
    const { old, version, log } = this.#parts;
    await keepOldProgram(old, version).catch((thrown: unknown) =>
      log.warn('The running version could not be kept', { error: thrown }),
    );
  }

  async #install(version: string, turn: number | null): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    const memory = {
      read: () => this.#memory,
      remember: (change: Partial<UpdateMemory>) => this.#remember(change),
      tryToRemember: (change: Partial<UpdateMemory>) => this.#tryToRemember(change),
    };
    const why = await runInstall(this.#parts, memory, { version, turn, attempt });
    this.#attempt = null;
    if (why !== null) this.#dispatch({ kind: 'install-failed', why });
  }

  /** Quitting in the middle: nothing is installed any more, and nobody waits for this node. */
  #giveUp(): void {
    const state = this.#state;
    if (state.state !== 'draining' && state.state !== 'installing') return;
    if (this.#parts.installer.isReplacing()) return;
    this.#attempt?.abort(new Error('the application quits'));
    const { turn, version } = state;
    const report = turn === null ? this.#memory.report : { turn, outcome: 'given-up' as const, version };
    this.#tryToRemember({ pending: null, report });
    void this.#deliverReport();
  }

  async #rollBack(version: string, why: string): Promise<void> {
    const { host, log } = this.#parts;
    const { pending } = this.#memory;
    log.error(`Version ${version} does not work and the old one is to be put back`, { why });
    if (pending === null) return this.#dispatch({ kind: 'roll-back-failed' });
    const back = { ...pending, phase: 'rolling-back' as const, why };
    try {
      if (back.old !== null) {
        this.#remember({ pending: back });
        await host.stop();
      }
      await goBack(this.#parts, back.old);
    } catch (thrown) {
      log.error('The old version was not put back', { error: thrown });
      this.#tryToRemember(notBack(this.#memory, back, hindranceOf(thrown), Date.now()));
      host.start();
      this.#dispatch({ kind: 'roll-back-failed' });
    }
  }

  /** A full disk must not keep the agent down: what cannot be written counts until this process ends. */
  #tryToRemember(change: Partial<UpdateMemory>): void {
    try {
      this.#remember(change);
    } catch (thrown) {
      this.#parts.log.error('What is remembered of the update could not be written', { error: thrown });
    }
  }

  #remember(change: Partial<UpdateMemory>): void {
    this.#memory = { ...this.#memory, ...change };
    writeMemory(this.#parts.memoryFile, this.#memory);
    this.#publish();
  }

  #deliverReport(): Promise<void> {
    this.#delivery ??= this.#deliver().finally(() => {
      this.#delivery = null;
    });
    return this.#delivery;
  }

  async #deliver(): Promise<void> {
    const { report } = this.#memory;
    if (report === null || !(await reachedCluster(this.#parts.host, report, this.#parts.log))) return;
    if (this.#memory.report === report) this.#tryToRemember({ report: null });
  }
}
