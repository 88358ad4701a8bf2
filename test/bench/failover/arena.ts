import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../../agent/embedded-db/embedded-database.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { MediaCluster } from '../../support/media-cluster.ts';
import { startPgBouncer, type TestPgBouncer } from '../../support/pgbouncer.ts';
import { HistoryTail } from './history-tail.ts';

const NAMES = ['node-a', 'node-b', 'node-c'];

/** Three MAIN nodes as processes, with everything around them that a fault can strike at one of them alone. */
export interface Arena {
  cluster: MediaCluster;
  history: HistoryTail;
  historyPath: string;
  /** Before pgBouncer, shared by all nodes. */
  databaseProxy: FaultProxy;
  /** Between one node and iconik. */
  iconikProxyOf(name: string): FaultProxy;
  /** Takes the share away from one node's mount point, or gives it back; an empty folder stays. */
  setMounted(name: string, isMounted: boolean): void;
  close(): Promise<void>;
}

const portOf = (url: string) => Number(new URL(url).port);
function withPort(url: string, port: number): string {
  const moved = new URL(url);
  moved.host = `127.0.0.1:${port}`;
  return moved.href;
}

/** Starts database, pooler, stand-in and proxies; no node yet. */
export async function openArena(): Promise<Arena> {
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-failover-'));
  // PostgreSQL does not run as root; its user must be able to pass through.
  chmodSync(dir, 0o711);
  const historyPath = join(dir, 'history.jsonl');
  // Nodes inherit it.
  process.env.ISG_PRO_HISTORY = historyPath;
  const { embedded, bouncer, databaseProxy, dbConnectionUri } = await openDatabase(dir);
  const mountOf = (name: string) => join(dir, `mount-${name}`);
  const cluster = await MediaCluster.create({
    dir,
    nodes: NAMES.map((name) => ({ name, roles: ['MAIN'], mountPoint: mountOf(name) })),
    storageSettings: () => ({}),
    config: { 'iconik-requests-per-second': 200 },
    dbConnectionUri,
  });
  // Only a root that is not empty gets a marker, and only a marked one is missed when it is gone.
  writeFileSync(join(cluster.mediaDir, 'a file.txt'), 'content');
  const setMounted = (name: string, isMounted: boolean) => {
    rmSync(mountOf(name), { recursive: true, force: true });
    if (isMounted) symlinkSync(cluster.mediaDir, mountOf(name));
    else mkdirSync(mountOf(name));
  };
  const iconikProxies = new Map<string, FaultProxy>();
  for (const name of NAMES) {
    setMounted(name, true);
    const proxy = await startFaultProxy({ targetPort: portOf(cluster.standIn.url) });
    iconikProxies.set(name, proxy);
    pointAt(join(dir, name, 'config.ini'), withPort(`${cluster.standIn.url}/`, proxy.port));
  }
  return {
    cluster,
    historyPath,
    history: new HistoryTail(historyPath),
    databaseProxy,
    setMounted,
    iconikProxyOf: (name) => {
      const proxy = iconikProxies.get(name);
      if (!proxy) throw new Error(`there is no node ${name}`);
      return proxy;
    },
    close: async () => {
      // Ours goes first: the cluster waits until nobody holds the database any more.
      await embedded.release();
      await cluster.stop();
      for (const proxy of [databaseProxy, ...iconikProxies.values()]) await proxy.stop();
      await bouncer.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

// The cluster's own call for the embedded database finds this one running and uses it.
async function openDatabase(dir: string): Promise<{
  embedded: EmbeddedDatabase;
  bouncer: TestPgBouncer;
  databaseProxy: FaultProxy;
  dbConnectionUri: string;
}> {
  const embedded = await startEmbeddedDatabase({ dataDir: join(dir, 'database'), log: silentLogger, lingerMs: 0 });
  const bouncer = await startPgBouncer(embedded.uri, { poolSize: 20 });
  const databaseProxy = await startFaultProxy({ targetPort: portOf(bouncer.uri) });
  return { embedded, bouncer, databaseProxy, dbConnectionUri: withPort(bouncer.uri, databaseProxy.port) };
}

function pointAt(configPath: string, iconikUrl: string): void {
  const text = readFileSync(configPath, 'utf8').replace(/^iconik-url = .*$/m, () => `iconik-url = ${iconikUrl}`);
  writeFileSync(configPath, text, { mode: 0o600 });
}
