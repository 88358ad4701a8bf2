import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { createAcls } from './acls.ts';
import type { IconikApi } from './api.ts';
import { createAssets } from './assets.ts';
import type { BreakerState } from './circuit-breaker.ts';
import { createClusters } from './clusters.ts';
import { createCollections } from './collections.ts';
import { createFiles } from './files.ts';
import { createGateways } from './gateways.ts';
import { createHttpCall } from './http-call.ts';
import { createDispatcher } from './http-dispatcher.ts';
import { createHealthWatch, type IconikHealth } from './iconik-health.ts';
import { createJobs } from './jobs.ts';
import { createKeyframes } from './keyframes.ts';
import { createMetadata } from './metadata.ts';
import { createProxies } from './proxies.ts';
import { createRequestBudget, type RequestPace } from './request-budget.ts';
import type { RequestLine } from './request-lines-state.ts';
import { createServiceRequests, type ServiceRequests } from './service-requests.ts';
import { createStorages } from './storages.ts';
import { createTranscode } from './transcode.ts';
import { createTransfers } from './transfers.ts';
import { createUsers } from './users.ts';

/** What a client of iconik is made of. */
export interface IconikClientOptions {
  /** `iconik-url`, e.g. https://app.iconik.io/. */
  baseUrl: string;
  appId: string;
  /** Secret; appears in no message and no log. */
  authToken: string;
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  log: Logger;
  /** Requests a second until the client's `pace` follows a share (reference C.1: about 50/s per application). */
  requestsPerSecond: number;
  /** Longest time for one request and its answer; default 20 s. */
  callTimeoutMs?: number;
  /** `https-proxy`; without it HTTPS_PROXY and NO_PROXY of the environment count. */
  proxyUrl?: string | undefined;
  /** Told each change of `iconikHealth()` that a call brings about. */
  onHealth?: (health: IconikHealth) => void;
}

/** The calls, with the verdict on iconik that they give. */
export interface IconikClient extends IconikApi {
  /** What the calls so far say about iconik. 401 = failing at once; 429 = throttled; 5xx and time-outs after hysteresis. */
  iconikHealth(): IconikHealth;
  /** `open`: calls are refused without being sent; `half-open`: one call tries whether iconik is back. */
  breakerState(): BreakerState['state'];
  /** The same client with its requests in another line; those of the client itself are in `jobs`. */
  inLine(line: RequestLine): IconikApi;
  /** The budget, to be divided among the nodes of the credential. */
  pace: RequestPace;
  /** Ends all connections and waiting calls; later calls throw `stopped`. */
  close(): Promise<void>;
}

const CALL_TIMEOUT_MS = 20_000;

/** A client of one iconik account. Throws `config-invalid` for addresses that are none; connects at the first call. */
export function createIconikApi(options: IconikClientOptions): IconikClient {
  const { clock, random, log, requestsPerSecond, onHealth, callTimeoutMs = CALL_TIMEOUT_MS } = options;
  const { baseUrl, appId, authToken } = options;
  const dispatcher = createDispatcher({ proxyUrl: options.proxyUrl, callTimeoutMs });
  const call = createHttpCall({ baseUrl, appId, authToken, dispatcher, clock, callTimeoutMs });
  const budget = createRequestBudget({ requestsPerSecond, clock });
  const watch = createHealthWatch({ clock, random, log, onHealth });
  const inLine = (line: RequestLine) =>
    servicesOf(createServiceRequests({ call, budget, watch, clock, random, log, line }));
  return {
    ...inLine('jobs'),
    inLine,
    pace: budget.pace,
    iconikHealth: () => watch.health(),
    breakerState: () => watch.breakerState(),
    async close() {
      budget.close();
      await dispatcher.destroy();
    },
  };
}

function servicesOf(requests: ServiceRequests): IconikApi {
  return {
    gateways: createGateways(requests),
    clusters: createClusters(requests),
    storages: createStorages(requests),
    assets: createAssets(requests),
    collections: createCollections(requests),
    metadata: createMetadata(requests),
    acls: createAcls(requests),
    files: createFiles(requests),
    proxies: createProxies(requests),
    keyframes: createKeyframes(requests),
    jobs: createJobs(requests),
    transcode: createTranscode(requests),
    transfers: createTransfers(requests),
    users: createUsers(requests),
  };
}
