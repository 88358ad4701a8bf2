import type { JobRow, LogLine } from '../../agent/contract/index.ts';
import type { AppState } from '../../preload/contract/app-state.ts';
import {
  BRIDGE_CALLS,
  type BridgeAnswer,
  type BridgeCallName,
  type BridgeEvent,
  type BridgeEventName,
  type BridgeParams,
  type BridgeResult,
  type IsgBridge,
} from '../../preload/contract/bridge.ts';
import {
  configFile,
  jobAt,
  jobCount,
  lineAt,
  lineCount,
  problemAt,
  problemCount,
  settingRows,
} from './fake-bridge-data.ts';
import { type Scene, sceneState } from './fake-bridge-scenes.ts';

/** One handler per call of the bridge; a renamed or added call does not compile. */
export type FakeHandlers = {
  [Name in BridgeCallName]: (params: BridgeParams<Name>) => BridgeAnswer<Name> | Promise<BridgeAnswer<Name>>;
};

/** A refusal that a handler throws; it reaches the caller with its code, as over the real bridge. */
export class FakeRefusal extends Error {
  readonly code: string;
  readonly retry: 'transient' | 'permanent';

  constructor(code: string, message: string, retry: 'transient' | 'permanent' = 'permanent') {
    super(message);
    this.code = code;
    this.retry = retry;
  }
}

/** `window.isg` without main and agent. */
export interface FakeBridge extends IsgBridge {
  /** Every call that was made, in order. */
  readonly calls: readonly { name: BridgeCallName; params: unknown }[];
  /** The state that was sent last. */
  state(): AppState | null;
  /** Sends an event to all listeners; a new state is also what `app.state` answers from now on. */
  emit<Name extends BridgeEventName>(event: Name, payload: BridgeEvent<Name>): void;
}

/** What is different from the scene. */
export interface FakeBridgeOptions {
  /** "Now" of all times in the scene; default: the real one. */
  nowMs?: () => number;
  /** Handlers in place of the scene's. */
  handlers?: Partial<FakeHandlers>;
}

const AGENT_IS_DOWN = 'The agent is not running now, so it cannot answer. It is started again by itself.';

function page<Row>(count: number, cursor: string | null, limit: number, rowAt: (at: number) => Row) {
  const from = cursor === null ? 0 : Number(cursor);
  const rows = Array.from({ length: Math.max(0, Math.min(limit, count - from)) }, (_, at) => rowAt(from + at));
  return { rows, nextCursor: from + limit < count ? String(from + limit) : null };
}

function jobsList(scene: Scene, params: BridgeParams<'jobs.list'>, nowMs: number): BridgeAnswer<'jobs.list'> {
  const matches = (row: JobRow) =>
    (params.roles.length === 0 || params.roles.includes(row.role)) &&
    (params.states.length === 0 || params.states.includes(row.state)) &&
    (params.storageId === null || params.storageId === row.storageId) &&
    (params.nodeName === null || (row.state === 'leased' && params.nodeName === row.nodeName)) &&
    row.subject.toLowerCase().includes(params.text.toLowerCase());
  const found: number[] = [];
  for (let at = 0; at < jobCount(scene); at += 1) if (matches(jobAt(scene, at, nowMs))) found.push(at);
  const rowAt = (at: number) => jobAt(scene, found[at] ?? 0, nowMs);
  return { ...page(found.length, params.cursor, params.limit, rowAt), total: found.length };
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

type Narrowing = { minLevel: LogLine['level']; text: string; limit: number };

/** Lines that match before a number, oldest first, and from where on the next ones lie. */
function linesBefore(scene: Scene, { minLevel, text, limit }: Narrowing, before: number, nowMs: number) {
  const count = lineCount(scene);
  const lines: LogLine[] = [];
  let seq = Math.min(before - 1, count);
  for (; seq > 0 && lines.length < limit; seq -= 1) {
    const line = lineAt(seq, count, nowMs);
    const isWanted = LEVELS.indexOf(line.level) >= LEVELS.indexOf(minLevel);
    if (isWanted && `${line.message} ${line.fields}`.toLowerCase().includes(text.toLowerCase())) lines.push(line);
  }
  return { lines: lines.reverse(), olderSeq: seq > 0 ? seq + 1 : null };
}

function readFiles(scene: Scene, params: Narrowing & { cursor: string | null }, nowMs: number) {
  const before = params.cursor === null ? Number.POSITIVE_INFINITY : Number(params.cursor);
  const { lines, olderSeq } = linesBefore(scene, params, before, nowMs);
  return { lines, nextCursor: olderSeq === null ? null : String(olderSeq) };
}

function readLog(scene: Scene, params: BridgeParams<'logs.read'>, nowMs: number): BridgeAnswer<'logs.read'> {
  const lastSeq = lineCount(scene);
  const extent = lastSeq === 0 ? null : { firstSeq: 1, lastSeq };
  const at = params.at ?? { kind: 'end' };
  const after = at.kind === 'after' ? at.seq : null;
  if (after !== null && after >= lastSeq) return { lines: [], olderSeq: after + 1, newerSeq: null, extent };
  const half = params.limit >> 1;
  const before =
    at.kind === 'end'
      ? lastSeq + 1
      : at.kind === 'before'
        ? at.seq
        : at.kind === 'share'
          ? Math.round(at.share * lastSeq) + half
          : at.kind === 'time'
            ? lastSeq + 1
            : at.seq + half;
  const { lines, olderSeq } = linesBefore(scene, params, before, nowMs);
  return { lines, olderSeq, newerSeq: before > lastSeq ? null : before - 1, extent };
}

function agentHandlers(scene: Scene, nowMs: () => number) {
  const done = () => ({});
  return {
    'jobs.list': (params) => jobsList(scene, params, nowMs()),
    'jobs.cancel': done,
    'jobs.retry': done,
    'jobs.set-priority': done,
    'storages.verify': () => ({ isNew: true }),
    'storages.write-mhl': () => ({ isNew: true }),
    'storages.problems': ({ storageId, cursor, limit }) =>
      page(storageId === 'st-nas-post' || storageId === 'st-0' ? problemCount(scene) : 0, cursor, limit, problemAt),
    'logs.read': (params) => readLog(scene, params, nowMs()),
    'logs.send': () => ({ filename: 'isg-pro-3f2a-2026-07-01T10-00-00Z.log.gz' }),
    'doctor.run': () => ({ ok: true, findings: [], checked: ['iconik', 'the database and the cluster'] }),
    'node.pause': done,
    'node.resume': done,
    'cluster.set-enabled': done,
    'cluster.drill': () => ({ successor: 'node-b' }),
    'update.claim-turn': () => ({ kind: 'yours', turn: 1 }),
    'update.hold-turn': () => ({ isHeld: true }),
    'update.end-turn': () => ({}),
    'app.check-for-update': () => ({}),
    'app.install-update': () => ({}),
    'app.postpone-update': () => ({}),
    'settings.read': () => ({ rows: settingRows() }),
    'settings.write': done,
    'setup.look': () => ({
      clusters: [{ id: 'cl-1', name: 'Studio' }],
      gateways: [{ id: 'gw-1', name: 'node-a', clusterId: 'cl-1', storageIds: ['st-nas-post'], mounts: {} }],
      storages: [
        { id: 'st-nas-post', name: 'NAS Post', mountPoint: '/mnt/nas-post' },
        { id: 'st-archive', name: 'Archive SAN', mountPoint: '' },
      ],
    }),
    'setup.create-gateway': () => ({ storageGatewayId: 'gw-2' }),
    'setup.test-mount': ({ mountPoint }) =>
      mountPoint.startsWith('/')
        ? { ok: true, reason: '', remedy: '' }
        : {
            ok: false,
            reason: 'The folder does not exist.',
            remedy: 'Choose the folder where the storage is mounted.',
          },
    'setup.set-mounts': done,
  } satisfies Partial<FakeHandlers>;
}

function sceneHandlers(scene: Scene, state: () => AppState | null, nowMs: () => number): FakeHandlers {
  return {
    ...agentHandlers(scene, nowMs),
    'app.state': () => state() ?? new Promise<AppState>(() => undefined),
    'app.open-log-folder': () => ({}),
    'app.copy-text': () => ({}),
    'app.export-text': () => ({ saved: true }),
    'app.choose-folder': () => ({ path: '/mnt/nas-post' }),
    'app.run-check': () => ({}),
    'app.save-support-bundle': () => ({ path: '/home/post/Downloads/isg-pro-support-post-01-2026-07-01.zip' }),
    'app.cancel-support-bundle': () => ({}),
    'agent.restart': () => ({}),
    'config.read': () => configFile(scene),
    'config.write': () => ({ problems: [], conflicts: [] }),
    'config.restore': () => ({}),
    'logs.read-files': (params) => readFiles(scene, params, nowMs()),
  };
}

type Listeners = { [Name in BridgeEventName]: Set<(payload: BridgeEvent<Name>) => void> };

/** Calls that the agent would answer; refused while the scene's agent does not run. Set-up asks it before that. */
const needsAgent = (name: BridgeCallName): boolean =>
  !/^(app|agent|config|setup)\./.test(name) && name !== 'logs.read-files';

/**
 * A bridge that plays a scene. Parameters are parsed by the contract's own schemas, so that what main would refuse is
 * refused here; `app-state` comes at once at subscription. Nothing happens by itself: tests and gallery `emit` changes.
 */
export function createFakeBridge(
  scene: Scene,
  { nowMs = Date.now, handlers = {} }: FakeBridgeOptions = {},
): FakeBridge {
  let current = sceneState(scene, nowMs());
  const calls: { name: BridgeCallName; params: unknown }[] = [];
  const listeners: Listeners = { 'app-state': new Set(), 'log-lines': new Set(), navigate: new Set() };
  const table: FakeHandlers = { ...sceneHandlers(scene, () => current, nowMs), ...handlers };

  async function answer<Name extends BridgeCallName>(
    name: Name,
    params: BridgeParams<Name>,
  ): Promise<BridgeResult<Name>> {
    calls.push({ name, params });
    const parsed = BRIDGE_CALLS[name].params.safeParse(params);
    if (!parsed.success) return refusal('bad-params', parsed.error.message, 'permanent');
    if (scene === 'loading') return new Promise(() => undefined);
    if (needsAgent(name) && current?.agent.state !== 'running')
      return refusal('agent-down', AGENT_IS_DOWN, 'transient');
    try {
      return { ok: true, value: await table[name](params) };
    } catch (thrown) {
      if (thrown instanceof FakeRefusal) return refusal(thrown.code, thrown.message, thrown.retry);
      throw thrown;
    }
  }

  return {
    calls,
    state: () => current,
    call: answer,
    on: (event, listener) => {
      listeners[event].add(listener);
      if (event === 'app-state' && current !== null) {
        (listener as (payload: AppState) => void)(current);
      }
      return () => void listeners[event].delete(listener);
    },
    emit: (event, payload) => {
      if (event === 'app-state') current = payload as AppState;
      for (const listener of listeners[event]) listener(payload);
    },
  };
}

const refusal = (code: string, message: string, retry: 'transient' | 'permanent') =>
  ({ ok: false, error: { code, message, retry } }) as const;
