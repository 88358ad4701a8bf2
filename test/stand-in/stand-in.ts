import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { type ApiContext, apiRoutes } from './api-routes.ts';
import { createControl, type StandInControl } from './control.ts';
import { controlRoutes } from './control-routes.ts';
import { Faults } from './faults/fault-plan.ts';
import { AzureBlocks } from './object-store/azure-blocks.ts';
import { B2LargeFiles } from './object-store/b2-large-files.ts';
import { GcsObjects } from './object-store/gcs-objects.ts';
import { MultipartUploads } from './object-store/multipart-uploads.ts';
import { ObjectDisk } from './object-store/object-disk.ts';
import { mayContinue, type ObjectStore, objectRoutes } from './object-store/object-routes.ts';
import { ResumableSessions } from './object-store/resumable-sessions.ts';
import { createSignedUrls } from './object-store/signed-urls.ts';
import { publishedFacts } from './published-facts.ts';
import { createState, type IconikState } from './state/iconik-state.ts';
import { type SeededAccount, type SeedOptions, seedInto } from './state/seed-account.ts';

/** How the stand-in is started. */
export interface StandInOptions {
  /** 0 or absent: any free port. */
  port?: number;
  /** Folder for objects; made if missing. Nothing else is written to disk. */
  dataDir: string;
  /** Always a loopback address; 127.0.0.1 unless said otherwise. */
  host?: '127.0.0.1' | '::1' | 'localhost';
  /** Wall clock in ms, for tests of expiry and lag. */
  nowMs?: () => number;
  /** How long signed URLs live. 1 h unless said otherwise. */
  urlLifetimeMs?: number;
}

/** A running stand-in. */
export interface StandIn extends StandInControl {
  /** `http://host:port`, what `iconik-url` points at. */
  url: string;
  appId: string;
  authToken: string;
  /** Puts a cluster with storages and nodes into the account. May be called again for another cluster. */
  seed(options: SeedOptions): SeededAccount;
  /** How many objects, components of parallel uploads among them, were sent to GCS from outside. */
  receivedByGcs(): number;
  /** The live records, for tests that must change what iconik's users would change. */
  records: IconikState;
  /** Ends every connection and pending late commit. May be called twice. */
  close(): Promise<void>;
}

/** Starts a stand-in; resolves when it listens. */
export async function createStandIn(options: StandInOptions): Promise<StandIn> {
  const nowMs = options.nowMs ?? Date.now;
  const account = { appId: randomUUID(), authToken: `token-${randomUUID()}`, userId: randomUUID() };
  const state = createState(account, nowMs);
  const faults = new Faults();
  let url = '';
  const urls = createSignedUrls({ baseUrl: () => url, nowMs, lifetimeMs: () => options.urlLifetimeMs ?? 3_600_000 });
  mkdirSync(options.dataDir, { recursive: true });
  const disk = new ObjectDisk(join(options.dataDir, 'objects'));
  const sessions = new ResumableSessions(disk, join(options.dataDir, 'objects'));
  const store: ObjectStore = {
    disk,
    uploads: new MultipartUploads(disk),
    sessions,
    azure: new AzureBlocks(disk, nowMs),
    b2: new B2LargeFiles(disk),
    gcs: new GcsObjects(disk),
    urls,
    faults,
    baseUrl: () => url,
  };
  const counted = {
    violations: [],
    answerFaults: [],
    calls: new Map<string, number>(),
    lateTimers: new Set<NodeJS.Timeout>(),
  };
  const context: ApiContext = {
    facts: publishedFacts(),
    state,
    faults,
    urls,
    uploads: store.uploads,
    disk,
    b2: store.b2,
    ...counted,
  };
  const control = createControl({ state, faults, disk, context });
  const app = createServer(context, store, control);
  url = await app.listen({ port: options.port ?? 0, host: options.host ?? '127.0.0.1' });
  return {
    ...control,
    url,
    appId: account.appId,
    authToken: account.authToken,
    seed: (seed) => seedInto(state, seed),
    receivedByGcs: () => store.gcs.received,
    records: state,
    close: async () => {
      for (const timer of context.lateTimers) clearTimeout(timer);
      context.lateTimers.clear();
      await app.close();
    },
  };
}

/** Puts a custom account into a stand-in: storages, nodes, database URI, settings. */
export const seedAccount = (standIn: Pick<StandIn, 'seed'>, options: SeedOptions): SeededAccount =>
  standIn.seed(options);

/** Largest JSON body of a call. */
const BODY_LIMIT_BYTES = 16 * 1024 * 1024;

function createServer(context: ApiContext, store: ObjectStore, control: StandInControl): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    requestTimeout: 0,
    routerOptions: { maxParamLength: 2000 },
  });
  app.addHook('onRequest', async (request, reply) => {
    if (!context.faults.plan.outage || request.url.startsWith('/_control/')) return;
    context.faults.counts.outage += 1;
    reply.hijack();
    request.raw.socket.destroy();
  });
  app.server.on('checkContinue', (request, response) => {
    if (mayContinue(store, request.method ?? '', request.url ?? '/')) response.writeContinue();
    app.server.emit('request', request, response);
  });
  app.register(async (scope) => apiRoutes(scope, context));
  app.register(async (scope) => objectRoutes(scope, store));
  app.register(async (scope) => controlRoutes(scope, control));
  return app;
}
