import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../../agent/config/load-config.ts';
import type { Diagnosis } from '../../../agent/contract/index.ts';
import { diagnose } from '../../../agent/doctor/diagnose.ts';
import { createPgLeaseStore } from '../../../agent/leader/pg-lease-store.ts';
import { type ChildGuard, createChildGuard } from '../../../agent/runtime/child-guard/child-guard.ts';
import type { Clock } from '../../../agent/runtime/clock.ts';
import { createStandIn, type StandIn } from '../../stand-in/stand-in.ts';
import type { SeededAccount } from '../../stand-in/state/seed-account.ts';
import type { Row } from '../../stand-in/state/table.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

const MEMBER = `
INSERT INTO worker (worker_id, storage_gateway_id, run_id, name, host, machine_id, boot_id, version, roles,
  availability_status, status_reason, health)
VALUES (gen_random_uuid(), $1, gen_random_uuid(), $1, $1, 'm', 'b', '1.0.0', $2, $3, $4,
  '[{"check":"database","status":"ok","reason":"","remedy":""}]')`;

/** A member of the cluster as its row says: name, roles, availability, reason. */
export type Member = readonly [name: string, roles: string, availability: string, reason: string];

/** The cluster as it is when all is well. */
export const HEALTHY: readonly Member[] = [
  ['node-a', '{MAIN,CHECKSUM}', 'available', ''],
  ['node-b', '{TRANSCODE,TRANSFER}', 'available', ''],
];

/** A busy machine must not make a look incomplete. How long it takes at most is a test of its own. */
const LIMIT_MS = 30_000;

/** What differs from a healthy node. */
export interface DiagnosisFault {
  dbConnectionUri?: string;
  /** Keys of config.ini that replace those of a healthy node. */
  config?: Record<string, string>;
  clock?: Clock;
  /** Longest time for the diagnosis, where that matters. */
  limitMs?: number;
}

/**
 * One node and its cluster of two as a diagnosis meets them: a real stand-in iconik, a real database with a leader and two
 * live members, a storage on disk. Nothing runs beside it, so that a fault is the only thing that can be found.
 */
export class DiagnosedNode {
  readonly standIn: StandIn;
  readonly account: SeededAccount;
  readonly test: TestDatabase;
  readonly mediaDir: string;
  readonly #guard: ChildGuard;
  readonly #dir: string;

  private constructor(
    dir: string,
    parts: { standIn: StandIn; account: SeededAccount; test: TestDatabase; guard: ChildGuard },
  ) {
    this.#dir = dir;
    this.mediaDir = join(dir, 'media');
    this.standIn = parts.standIn;
    this.account = parts.account;
    this.test = parts.test;
    this.#guard = parts.guard;
  }

  static async create(dir: string): Promise<DiagnosedNode> {
    const mediaDir = join(dir, 'media');
    mkdirSync(mediaDir);
    const [test, guard] = await Promise.all([createTestDatabase(), createChildGuard()]);
    const standIn = await createStandIn({ dataDir: join(dir, 'iconik') });
    const account = standIn.seed({
      storages: [{ name: 'NAS', mountPoint: mediaDir }],
      gateways: [
        { name: 'node-a', roles: ['MAIN', 'CHECKSUM'] },
        { name: 'node-b', roles: ['TRANSCODE', 'TRANSFER'] },
      ],
      dbConnectionUri: test.uri,
    });
    const node = new DiagnosedNode(dir, { standIn, account, test, guard });
    writeFileSync(join(mediaDir, '.isg-pro-storage'), JSON.stringify({ storageId: node.account.storageIds[0] }));
    writeFileSync(join(mediaDir, 'clip.mov'), 'clip');
    await test.database.execute('INSERT INTO storage_root (storage_id, placed_marker) VALUES ($1, true)', [
      node.account.storageIds[0],
    ]);
    await test.database.execute('INSERT INTO cluster (cluster_id) VALUES ($1)', [node.account.clusterId]);
    await node.becomes(HEALTHY);
    return node;
  }

  /** The cluster as iconik has it; changes are seen by the next diagnosis. */
  cluster(): Row {
    const found = this.standIn.records.clusters.get(this.account.clusterId);
    if (found === undefined) throw new Error('the cluster is gone');
    return found;
  }

  /** Where the node is to find the storage. */
  mountAt(path: string): void {
    const gateway = this.standIn.records.gateways.get(this.account.gatewayIds[0]);
    if (gateway === undefined) throw new Error('the gateway is gone');
    gateway.storages = { [this.account.storageIds[0] ?? '']: { mount_point: path } };
  }

  /** A fresh look: members have just been seen, somebody leads, the given fault is there. */
  async diagnose({ dbConnectionUri, config = {}, clock, limitMs = LIMIT_MS }: DiagnosisFault = {}): Promise<Diagnosis> {
    this.cluster().db_connection_uri = dbConnectionUri ?? this.test.uri;
    const lines = {
      'iconik-url': this.standIn.url,
      'app-id': this.standIn.appId,
      'auth-token': this.standIn.authToken,
      'storage-gateway-id': this.account.gatewayIds[0] ?? '',
      'data-dir': join(this.#dir, 'data'),
      ...config,
    };
    const path = join(this.#dir, 'config.ini');
    const text = Object.entries(lines).map(([key, value]) => `${key} = ${value}`);
    writeFileSync(path, `[main]\n${text.join('\n')}\n`);
    await this.test.database.execute('UPDATE worker SET last_seen_at = now()', []);
    const loaded = loadConfig(['--config', path], {});
    if (loaded.kind === 'invalid') throw new Error(loaded.problems.join('; '));
    return diagnose({ config: loaded.config, guard: this.#guard, limitMs, ...(clock === undefined ? {} : { clock }) });
  }

  /** The members as the cluster's table is to have them, seen now; and somebody who leads, unless told otherwise. */
  async becomes(members: readonly Member[], hasLeader = true) {
    const { database } = this.test;
    await database.execute('DELETE FROM worker', []);
    await database.execute('DELETE FROM leader_history', []);
    for (const member of members) await database.execute(MEMBER, [...member]);
    const store = createPgLeaseStore(database, { runId: randomUUID(), workerId: randomUUID(), name: 'node-a' });
    const term = await store.takeOver(await store.read(), { highestSeen: 0, why: 'test', ttlMs: 600_000 });
    await store.renew(term ?? 0, 600_000);
    if (!hasLeader) await database.execute("UPDATE leader_lease SET expires_at = now() - interval '1 minute'", []);
  }

  async stop(): Promise<void> {
    await this.#guard.stop();
    await this.standIn.close();
    await this.test.drop();
  }
}
