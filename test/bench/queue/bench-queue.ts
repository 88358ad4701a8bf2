import { openGraphileWorker } from './graphile-queue.ts';
import { openOurQueue } from './our-queue.ts';
import { openPgBoss } from './pg-boss-queue.ts';
import type { QueueSystem } from './queue-system.ts';
import { startBenchServer } from './server.ts';
import { measureThroughput } from './throughput.ts';
process.exitCode = 0;
const say = (w: string) => void process.stderr.write(`${w}\n`);
const server = await startBenchServer(10);
try {
  const systems: QueueSystem[] = [
    await openOurQueue(await server.createDatabase('ours', true)),
    await openPgBoss(await server.createDatabase('pg_boss', false)),
    await openGraphileWorker(await server.createDatabase('graphile', false)),
  ];
  for (const s of systems) say(`${s.name}: ${JSON.stringify(s.settings)}`);
  for (const mode of (process.argv[2] ?? 'single,batched').split(','))
    say(JSON.stringify(await measureThroughput(systems, { mode: mode as 'single', isPooled: process.argv[3] === 'pooled', jobs: mode === 'single' ? 2000 : 20000 }, say)));
  if (process.argv[4]) for (const s of systems) say(`${s.name} zombies ${JSON.stringify(await s.zombies(10000))}`);
  for (const s of systems) await s.close();
} finally {
  await server.stop();
}
process.exit(0);
