import type { History } from '../runtime/history.ts';
import type { IconikApi } from './api.ts';
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
  const recorded = <T extends IconikApi>(api: T): T => ({
    ...api,
    gateways: record(api.gateways, 'gateways'),
    clusters: record(api.clusters, 'clusters'),
    storages: record(api.storages, 'storages'),
    assets: record(api.assets, 'assets'),
    collections: record(api.collections, 'collections'),
    metadata: record(api.metadata, 'metadata'),
    acls: record(api.acls, 'acls'),
    files: record(api.files, 'files'),
    proxies: record(api.proxies, 'proxies'),
    keyframes: record(api.keyframes, 'keyframes'),
    jobs: record(api.jobs, 'jobs'),
    transcode: record(api.transcode, 'transcode'),
    transfers: record(api.transfers, 'transfers'),
  });
  return { ...recorded(client), inLine: (line) => recorded(client.inLine(line)) };
}
