import type { History } from '../runtime/history.ts';
import type { IconikClient } from './iconik-client.ts';

/** Calls that change something at iconik begin with one of these words. */
const CHANGES = /^(create|patch|post|put|end|purge|delete)/;

/**
 * A client that notes each changing call begun under a term (a MAIN side effect), and behaves like the given one. Calls
 * made outside leader work are not noted.
 */
export function createRecordedApi(client: IconikClient, history: History, termNow: () => number | null): IconikClient {
  const record = <T extends object>(service: T, name: string): T =>
    new Proxy(service, {
      get: (target, key, receiver) => {
        const call: unknown = Reflect.get(target, key, receiver);
        if (typeof call !== 'function' || !CHANGES.test(String(key))) return call;
        return (...args: unknown[]) => {
          const term = termNow();
          if (term !== null) history.say('effect', { term, what: `${name}.${String(key)}` });
          return Reflect.apply(call, target, args);
        };
      },
    });
  return {
    ...client,
    gateways: record(client.gateways, 'gateways'),
    clusters: record(client.clusters, 'clusters'),
    storages: record(client.storages, 'storages'),
    assets: record(client.assets, 'assets'),
    collections: record(client.collections, 'collections'),
    metadata: record(client.metadata, 'metadata'),
    acls: record(client.acls, 'acls'),
    files: record(client.files, 'files'),
    proxies: record(client.proxies, 'proxies'),
    keyframes: record(client.keyframes, 'keyframes'),
    jobs: record(client.jobs, 'jobs'),
    transcode: record(client.transcode, 'transcode'),
  };
}
