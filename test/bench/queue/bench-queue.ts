import { rounded } from '../statistics.ts';
import { type BacklogFigures, measureBacklog } from './backlog.ts';
import { type CrashFigures, measureCrash } from './crash.ts';
import { type EnqueueStartFigures, measureEnqueueStart } from './enqueue-start.ts';
import { openGraphileWorker } from './graphile-queue.ts';
import { openOurQueue } from './our-queue.ts';
import { openPgBoss } from './pg-boss-queue.ts';
import type { QueueSystem, ZombieCount } from './queue-system.ts';
import { measureScaleOut, type ScaleOutFigures } from './scale-out.ts';
import { type BenchServer, startBenchServer } from './server.ts';
import { type Contestant, measureThroughput } from './throughput.ts';

const PARTS = ['single', 'batched', 'pgbouncer', 'backlog', 'zombies', 'enqueueStart', 'crash', 'scaleOut'] as const;
type Part = (typeof PARTS)[number];
const isPart = (name: string): name is Part => (PARTS as readonly string[]).includes(name);

/** Server connections that pgBouncer shares out: as many as our pool has. */
const POOL_SIZE = 10;
const ZOMBIES = 10_000;
const OURS_DIRECT = 'ours direct';

/** Median jobs per second by system; `ours direct` is ours without pgBouncer in a comparison of pooled ones. */
type Throughput = Record<string, number>;

/** What was measured; a part that was not asked for is missing. */
interface Measured {
  single?: Throughput;
  batched?: Throughput;
  pooledSingle?: Throughput;
  pooledBatched?: Throughput;
  backlog?: BacklogFigures;
  zombies?: Record<QueueSystem['name'], ZombieCount>;
  enqueueStart?: EnqueueStartFigures;
  crash?: CrashFigures;
  scaleOut?: ScaleOutFigures;
}

interface Bench {
  server: BenchServer;
  systems: readonly QueueSystem[];
  measured: Measured;
}

const say = (words: string): void => void process.stderr.write(`${words}\n`);

async function measureZombies(systems: readonly QueueSystem[]): Promise<Record<QueueSystem['name'], ZombieCount>> {
  const counts: Record<QueueSystem['name'], ZombieCount> = {
    ours: { accepted: Number.NaN },
    'pg-boss': { accepted: Number.NaN },
    'graphile-worker': { accepted: Number.NaN },
  };
  for (const system of systems) {
    counts[system.name] = await system.zombies(ZOMBIES);
    say(`zombies of ${ZOMBIES}: ${system.name} ${JSON.stringify(counts[system.name])}`);
  }
  return counts;
}

const direct = (systems: readonly QueueSystem[]): Contestant[] =>
  systems.map((system) => ({ key: system.name, system, isPooled: false }));

const pooledAndOurs = (systems: readonly QueueSystem[]): Contestant[] => [
  ...systems.slice(0, 1).map((system) => ({ key: OURS_DIRECT, system, isPooled: false })),
  ...systems.map((system) => ({ key: system.name, system, isPooled: true })),
];

const MEASURE: Record<Part, (bench: Bench) => Promise<void>> = {
  single: async ({ systems, measured }) => {
    measured.single = await measureThroughput(direct(systems), 'single', say);
  },
  batched: async ({ systems, measured }) => {
    measured.batched = await measureThroughput(direct(systems), 'batched', say);
  },
  pgbouncer: async ({ systems, measured }) => {
    measured.pooledSingle = await measureThroughput(pooledAndOurs(systems), 'single', say);
    measured.pooledBatched = await measureThroughput(pooledAndOurs(systems), 'batched', say);
  },
  backlog: async ({ server, measured }) => {
    measured.backlog = await measureBacklog(server, say);
  },
  zombies: async ({ systems, measured }) => {
    measured.zombies = await measureZombies(systems);
  },
  enqueueStart: async ({ server, measured }) => {
    measured.enqueueStart = await measureEnqueueStart(await server.createDatabase('enqueue_start', true), say);
  },
  crash: async ({ server, measured }) => {
    measured.crash = await measureCrash(server, say);
  },
  scaleOut: async ({ server, measured }) => {
    measured.scaleOut = await measureScaleOut(server, say);
  },
};

const ratio = (figures: Throughput | undefined, ours: string, ...others: string[]): number | undefined =>
  figures && rounded((figures[ours] ?? Number.NaN) / Math.max(...others.map((key) => figures[key] ?? Number.NaN)), 2);

function ratiosOf({ single, batched, pooledSingle, pooledBatched, backlog }: Measured) {
  return {
    single: {
      'pg-boss': ratio(single, 'ours', 'pg-boss'),
      'graphile-worker': ratio(single, 'ours', 'graphile-worker'),
    },
    batched: ratio(batched, 'ours', 'pg-boss', 'graphile-worker'),
    pgbouncer: ratio(pooledBatched, 'ours', OURS_DIRECT),
    pgbouncerSingle: ratio(pooledSingle, 'ours', OURS_DIRECT),
    pooledBatched: ratio(pooledBatched, 'ours', 'pg-boss', 'graphile-worker'),
    backlogP99: backlog?.ratio,
  };
}

const figuresOf = ({ single, batched, pooledSingle, pooledBatched, zombies }: Measured, name: QueueSystem['name']) => ({
  jobsPerSecond: {
    single: single?.[name],
    batched: batched?.[name],
    pooledSingle: pooledSingle?.[name],
    pooledBatched: pooledBatched?.[name],
  },
  zombies: zombies?.[name].accepted,
  zombiesWithGuard: zombies?.[name].acceptedWithGuard,
});

function partsOf(only: string | undefined): readonly Part[] {
  if (only === undefined) return PARTS;
  const asked = only.split(',');
  const unknown = asked.find((name) => !isPart(name));
  if (unknown !== undefined)
    throw new Error(`The queue bench has no part "${unknown}". Say some of: ${PARTS.join(', ')}`);
  return asked.filter(isPart);
}

/** Measures the job queue beside pg-boss and graphile-worker (README.md); `only` names parts, separated by commas. */
export async function benchQueue({ only }: { only?: string | undefined } = {}) {
  const parts = partsOf(only);
  const server = await startBenchServer(POOL_SIZE);
  const systems: QueueSystem[] = [];
  const measured: Measured = {};
  try {
    systems.push(await openOurQueue(await server.createDatabase('ours', true)));
    systems.push(await openPgBoss(await server.createDatabase('pg_boss', false)));
    systems.push(await openGraphileWorker(await server.createDatabase('graphile', false)));
    for (const { name, settings } of systems) say(`${name}: ${JSON.stringify(settings)}`);
    for (const part of parts) await MEASURE[part]({ server, systems, measured });
  } finally {
    await Promise.all(systems.map((system) => system.close()));
    await server.stop();
  }
  const { backlog, enqueueStart, crash, scaleOut } = measured;
  const settingsOf = (name: QueueSystem['name']) => systems.find((system) => system.name === name)?.settings;
  return {
    bench: 'queue',
    ours: { ...figuresOf(measured, 'ours'), settings: settingsOf('ours'), backlog, enqueueStart, crash, scaleOut },
    peers: {
      'pg-boss': { ...figuresOf(measured, 'pg-boss'), settings: settingsOf('pg-boss') },
      'graphile-worker': { ...figuresOf(measured, 'graphile-worker'), settings: settingsOf('graphile-worker') },
    },
    ratios: ratiosOf(measured),
  };
}
