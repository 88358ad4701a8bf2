import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Membership } from '../../../agent/cluster/membership.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { createOurRunner, openDatabase } from './our-runner.ts';

/**
 * A node of the bench as a process of its own, with the product's membership (default heartbeat) and runner:
 * `node node-process.ts URI NAME WORKER_ID SLOTS WORK_MS`. Writes into the tables of node-fleet.ts.
 */

/** Default of `heartbeat-lapse-ms`. */
const LAPSE_MS = 5_000;

const [uri = '', name = '', workerId = '', slots = '', workMs = ''] = process.argv.slice(2);
const database = openDatabase(uri);
const owner = { runId: randomUUID(), workerId };
const membership = new Membership({
  database,
  self: {
    ...owner,
    storageGatewayId: workerId,
    name,
    host: 'bench',
    machineId: 'bench',
    bootId: 'bench',
    version: '0',
  },
  lapseMs: LAPSE_MS,
  clock: systemClock,
  log: silentLogger,
  status: () => ({ roles: ['CHECKSUM'], availability: 'available', reason: '', health: [] }),
  trustedTerm: () => null,
  onHold: () => undefined,
});
const runner = createOurRunner({
  database,
  slots: Number(slots),
  owner,
  work: async (at, { signal }) => {
    await database.execute('INSERT INTO bench_start (job, node, run) VALUES ($1, $2, $3)', [at, name, owner.runId]);
    await sleep(Number(workMs), undefined, { signal });
  },
});
// Ends with the bench: its standard input closes when the bench ends or wants the node to stop.
process.stdin.resume().once('end', () => process.exit(0));
await membership.start();
await database.execute('INSERT INTO bench_node (node, run) VALUES ($1, $2)', [name, owner.runId]);
await runner.start();
