import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogCache } from '../../../agent/cache/log/log-cache.ts';
import { startLogThread } from '../../../agent/cluster/log-shipping/start-log-thread.ts';
import type { BenchDatabase } from '../queue/server.ts';
import { until } from './until.ts';

/** Ticks of the kernel's clock, in which it counts, are 10 ms on every Linux that we know. */
const TICK_MICROS = 10_000;

/** Processor time that a process has had, microseconds. */
function processorMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

async function backendOf(database: BenchDatabase): Promise<number> {
  const [row] = await database.asSuperuser("SELECT pid FROM pg_stat_activity WHERE application_name = 'isg-pro log'");
  return Number(row?.pid);
}

/**
 * Processor time (this process with its log thread, and the server's process) that a record costs at the pace of a busy node,
 * microseconds: a figure that other work on the machine hardly changes.
 */
export async function shippingCost(path: string, database: BenchDatabase, spanMs: number): Promise<number> {
  const cache = createLogCache({ path, startThread: startLogThread, capBytes: 4_000_000_000 });
  const shipped = () => cache.status().shipping?.shipped ?? 0;
  try {
    cache.setBusy(true);
    cache.shipTo({ uri: `${database.direct}?sslmode=disable`, workerId: 'bench', node: 'bench' });
    // The first batches also compile what the others only run.
    await until(() => shipped() >= 2_500, 60_000);
    const backend = await backendOf(database);
    const micros = () => processorMicros(backend) + processorMicros(process.pid);
    const [before, records] = [micros(), shipped()];
    await sleep(spanMs);
    return (micros() - before) / (shipped() - records);
  } finally {
    cache.close();
  }
}
