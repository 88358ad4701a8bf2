import type { LogView } from '../cache/log-view/log-view.ts';
import { UpdateTurns } from '../cluster/update-turn/update-turns.ts';
import type { AgentCallHandlers, Diagnosis } from '../contract/index.ts';
import { createDatabase } from '../db/database.ts';
import type { ParentLink } from '../link/parent-link.ts';
import { systemClock } from '../runtime/clock.ts';
import { type Logger, silentLogger } from '../runtime/logger.ts';
import type { Database } from '../runtime/sql.ts';
import { fileCalls } from './calls/file-calls.ts';
import { jobCalls } from './calls/job-calls.ts';
import { logCalls } from './calls/log-calls.ts';
import { nodeCalls } from './calls/node-calls.ts';
import { settingsCalls } from './calls/settings-calls.ts';
import { setupCalls } from './calls/setup-calls.ts';
import { updateCalls } from './calls/update-calls.ts';
import { FigureReader } from './figures.ts';
import { LeaderlessWatch } from './leaderless-watch.ts';
import type { NodeObserver, RunningNode } from './operated-node.ts';
import { type IdleNode, idleSnapshot, type NodeIdentity, runningSnapshot } from './snapshot.ts';
import { SnapshotFeed } from './snapshot-feed.ts';
import { leaderRunId } from './standing.ts';

/** What an operator's side is made of. */
export interface OperatorOptions {
  link: ParentLink;
  identity: NodeIdentity;
  log: Logger;
  /** The stored log; absent while there is none (set-up). */
  logView?: LogView;
  httpsProxy: string | undefined;
  /** Diagnoses the node (agent/doctor), given the way to an embedded database that it runs; absent during set-up. */
  diagnose?: (embeddedUri: string | undefined) => Promise<Diagnosis>;
  first: IdleNode;
}

/** Connections for figures and calls: their own, so that a slow count or search holds up no work. */
const MAX_CONNECTIONS = 3;
/** An election that has not ended after this many times to live of the lease is stuck. */
const ELECTION_TTLS = 3;
const STATEMENT_TIMEOUT_MS = 10_000;

interface Running {
  parts: RunningNode;
  database: Database;
  figures: FigureReader;
  turns: UpdateTurns;
}

async function letGo(running: Running | null): Promise<void> {
  await running?.figures.stop();
  await running?.database.close();
}

/**
 * The node as its operator meets it: sends snapshots over the link and answers its calls, from set-up to stop. Watches the
 * node and never stands in its way.
 */
export class Operator implements NodeObserver {
  readonly #options: OperatorOptions;
  readonly #feed: SnapshotFeed;
  #identity: NodeIdentity;
  #idle: IdleNode;
  #running: Running | null = null;
  #isStopping = false;
  readonly #leaderless = new LeaderlessWatch();

  constructor(options: OperatorOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#idle = options.first;
    this.#feed = new SnapshotFeed({
      take: () => this.#take(),
      send: (snapshot) => options.link.sendSnapshot(snapshot),
      clock: systemClock,
    });
    options.link.serve(this.#handlers());
    this.#feed.start();
  }

  /** The installation has been read. */
  identify(workerId: string): void {
    this.#identity = { ...this.#identity, workerId };
  }

  /** The node cannot start yet: another process has its data folder. */
  heldUp(reason: string): void {
    this.#setIdle({ ...this.#idle, reason, isDuplicate: true });
  }

  waiting(what: 'iconik' | 'database', reason: string): void {
    this.#setIdle({ phase: `waiting-for-${what}`, reason, isDuplicate: false });
  }

  running(parts: RunningNode): void {
    // A copied data folder got a new worker id only once the database had been seen.
    this.identify(parts.self.workerId);
    // Silent: whether the database answers is said by the node's own checks.
    const database = createDatabase({
      uri: parts.databaseUri,
      log: silentLogger,
      applicationName: 'isg-pro operator',
      maxConnections: MAX_CONNECTIONS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    const { log } = this.#options;
    const figures = new FigureReader({ database, clock: systemClock, log, onRead: () => undefined });
    // A node that was restarted in this process leaves those of its earlier life behind.
    void letGo(this.#running);
    this.#isStopping = false;
    const turns = new UpdateTurns(database, parts.self.workerId, systemClock);
    this.#running = { parts, database, figures, turns };
    figures.start();
    this.#options.link.serve(this.#handlers());
    this.#feed.hurry();
  }

  changed(): void {
    this.#running?.figures.hurry();
    this.#feed.hurry();
  }

  stopping(): void {
    this.#isStopping = true;
    const { phase, ...rest } = this.#idle;
    if (phase !== 'set-up') this.#idle = { ...rest, phase: 'stopping' };
    this.#feed.hurry();
  }

  /** Sends the last snapshot and lets go of the database. */
  async close(): Promise<void> {
    this.#options.link.serve({});
    await this.#feed.stop();
    const running = this.#running;
    this.#running = null;
    await letGo(running);
  }

  #setIdle(idle: IdleNode): void {
    this.#idle = idle;
    this.#feed.hurry();
  }

  #take() {
    const identity = this.#identity;
    const atMs = systemClock.wallMs();
    if (this.#running === null) return idleSnapshot(identity, this.#idle, atMs);
    const { parts, figures } = this.#running;
    const view = parts.node.view();
    figures.observe(view.members);
    const isLeaderless = leaderRunId(view, parts.self.runId) === null;
    const now = { monotonicMs: systemClock.monotonicMs(), wallMs: atMs };
    return runningSnapshot({
      identity,
      view,
      leaderlessSinceMs: this.#leaderless.observe(isLeaderless, now, ELECTION_TTLS * view.leaderTtlMs),
      runId: parts.self.runId,
      figures: figures.current(),
      isStopping: this.#isStopping,
      atMs,
    });
  }

  #handlers(): Partial<AgentCallHandlers> {
    const { log, httpsProxy, logView, diagnose } = this.#options;
    const always = {
      ...setupCalls({ log, httpsProxy }),
      ...(logView ? logCalls(logView, () => this.#running?.database ?? null) : {}),
      ...(diagnose ? { 'doctor.run': () => diagnose(this.#running?.parts.databaseUri) } : {}),
    };
    return this.#running === null ? always : { ...always, ...runningCalls(this.#running) };
  }
}

/** What only a running node can answer. A call without handler does not compile. */
function runningCalls({
  parts,
  database,
  turns,
}: Running): Omit<AgentCallHandlers, `setup.${string}` | 'logs.read' | 'doctor.run'> {
  return {
    ...jobCalls(database),
    ...fileCalls(database),
    ...nodeCalls(parts),
    ...settingsCalls(parts),
    ...updateCalls(parts, turns),
  };
}
