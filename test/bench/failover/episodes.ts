import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { machineMs } from '../../../agent/runtime/history.ts';
import type { Arena } from './arena.ts';
import type { LeaderWrite } from './history-tail.ts';

/** Kinds of episodes. */
export type EpisodeKind = 'graceful' | 'crash' | 'freeze' | 'iconik' | 'storage';

/** Longest time for a new leader; a bench in which nobody comes fails. */
const LEADER_LIMIT_MS = 60_000;
const READY_LIMIT_MS = 60_000;

const readyRow = z.object({ ready: z.number() });

/** Waits until nodes with a heartbeat of the last seconds say that they are available and everything they need is healthy. */
async function untilAvailable({ cluster }: Arena, count: number): Promise<void> {
  const text = `SELECT count(*)::int AS ready FROM worker
    WHERE availability_status = 'available' AND last_seen_at > now() - interval '3 s'
      AND (SELECT count(*) FILTER (WHERE item ->> 'status' = 'ok') FROM jsonb_array_elements(health) item
        WHERE item ->> 'check' ~ '^(database|iconik|storage:.*)$') >= 3`;
  const deadlineMs = performance.now() + READY_LIMIT_MS;
  for (;;) {
    const [found] = await cluster.database.query(text, [], readyRow).catch(() => []);
    if ((found?.ready ?? 0) >= count) return;
    if (performance.now() > deadlineMs) {
      const tails = cluster.nodes.map(({ name }) => `${name}:\n${cluster.tail(name, 8)}`);
      throw new Error(`fewer than ${count} nodes are available\n${tails.join('\n')}`);
    }
    await sleep(100);
  }
}

/** Starts all nodes and waits for the first leader. */
export async function startNodes(arena: Arena): Promise<void> {
  for (const { name } of arena.cluster.nodes) arena.cluster.startNode(name);
  await arena.history.firstWriteAbove(0, LEADER_LIMIT_MS);
  await untilAvailable(arena, arena.cluster.nodes.length);
}

interface Strike {
  /** Strikes the leader. */
  begin: (leader: string) => Promise<void>;
  /** Undoes it once another leads. */
  end: (leader: string) => Promise<void>;
}

function strikes(arena: Arena): Record<EpisodeKind, Strike> {
  const { cluster } = arena;
  const restart = async (name: string) => {
    await untilGone(arena, name);
    await cluster.endNode(name, 'SIGKILL');
    cluster.startNode(name);
  };
  const signal = (sign: NodeJS.Signals) => async (name: string) => {
    cluster.node(name).process?.kill(sign);
  };
  const cutIconik = (isCut: boolean) => async (name: string) => {
    const proxy = arena.iconikProxyOf(name);
    await proxy.setFaults(isCut ? { refuse: true } : {});
    if (isCut) proxy.resetAll();
  };
  const mount = (isMounted: boolean) => async (name: string) => arena.setMounted(name, isMounted);
  return {
    graceful: { begin: signal('SIGTERM'), end: restart },
    crash: { begin: signal('SIGKILL'), end: restart },
    freeze: { begin: signal('SIGSTOP'), end: signal('SIGCONT') },
    iconik: { begin: cutIconik(true), end: cutIconik(false) },
    storage: { begin: mount(false), end: mount(true) },
  };
}

/** An orderly stop takes a few seconds at most; what does not stop is killed by the restart. */
async function untilGone({ cluster }: Arena, name: string): Promise<void> {
  const deadlineMs = performance.now() + 12_000;
  while (cluster.node(name).process && performance.now() < deadlineMs) await sleep(20);
}

/** Strikes the present leader; answers the MAIN gap: fault or request → first fenced write of the next term. */
export async function runEpisode(arena: Arena, kind: EpisodeKind): Promise<number> {
  const leader = leaderNow(arena);
  const { begin, end } = strikes(arena)[kind];
  const struckMs = machineMs();
  await begin(leader.node);
  const next = await arena.history.firstWriteAbove(leader.term, LEADER_LIMIT_MS);
  await end(leader.node);
  await untilAvailable(arena, arena.cluster.nodes.length);
  return next.atMs - struckMs;
}

function leaderNow({ history }: Arena): LeaderWrite {
  const leader = history.newest();
  if (!leader) throw new Error('nobody leads');
  return leader;
}

/** Slow and breaking connections to the database for a while; answers how often the leadership changed without need. */
export async function stress(arena: Arena, lastsMs: number): Promise<number> {
  const { databaseProxy, history } = arena;
  const before = history.leaderships();
  const way = { delayMs: 100, jitterMs: 50 };
  await databaseProxy.setFaults({ latency: { up: way, down: way }, resetEveryMs: 20_000 });
  await sleep(lastsMs);
  const changes = history.leaderships() - before;
  await databaseProxy.setFaults({});
  return changes;
}
