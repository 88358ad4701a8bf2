import { type FaultProxy, SILENCE, startFaultProxy } from './fault-proxy.ts';

/** A request of a node to iconik, as it left the node. */
export interface SentRequest {
  /** By `performance.now()` of this process. */
  atMs: number;
  /** `GET /API/files/v1/storages/…/`, without the query. */
  line: string;
}

/** The network of one node: its own way to iconik and its own way to the database, each with its own faults. */
export interface NodeNetwork {
  iconik: FaultProxy;
  database: FaultProxy;
  /** Every request that the node sent to iconik's API, whether or not it arrived. */
  requests: SentRequest[];
  /** Cuts both ways silently, or heals both. */
  setCut(isCut: boolean): Promise<void>;
  stop(): Promise<void>;
}

const REQUEST_LINE = /(GET|POST|PUT|PATCH|DELETE) (\/API\/[^ ?]*)[^ ]* HTTP\/1\.1\r\n/g;

/**
 * Puts a network between one node and the rest. iconik tells all nodes the same address of the database, and signs URLs
 * with its own; on the way to this node both ports are replaced by those of its proxies. All of them have five digits, so
 * that no length changes.
 */
export async function createNodeNetwork(ports: { iconik: number; database: number }): Promise<NodeNetwork> {
  const requests: SentRequest[] = [];
  const database = await startFaultProxy({ targetPort: ports.database });
  const readdress = (bytes: Buffer): Buffer => {
    const text = bytes.toString('latin1');
    if (!text.includes(`127.0.0.1:`)) return bytes;
    const own = text
      .replaceAll(`127.0.0.1:${ports.database}/`, `127.0.0.1:${database.port}/`)
      .replaceAll(`127.0.0.1:${ports.iconik}/`, `127.0.0.1:${iconik.port}/`);
    if (own.length !== text.length) throw new Error('the ports of the node network differ in length');
    return Buffer.from(own, 'latin1');
  };
  const iconik: FaultProxy = await startFaultProxy({
    targetPort: ports.iconik,
    through: (bytes, direction) => {
      if (direction === 'down') return readdress(bytes);
      for (const [, method, path] of bytes.toString('latin1').matchAll(REQUEST_LINE))
        requests.push({ atMs: performance.now(), line: `${method} ${path}` });
      return bytes;
    },
  });
  return {
    iconik,
    database,
    requests,
    setCut: async (isCut) => {
      await Promise.all([iconik, database].map((proxy) => proxy.setFaults(isCut ? SILENCE : {})));
    },
    stop: async () => {
      await Promise.all([iconik.stop(), database.stop()]);
    },
  };
}
