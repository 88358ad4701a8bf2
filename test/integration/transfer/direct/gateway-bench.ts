import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIntentStore } from '../../../../agent/db/queries/intent.ts';
import { createCreateOnce } from '../../../../agent/iconik/creation/intended-creation.ts';
import { createIconikApi, type IconikClient } from '../../../../agent/iconik/iconik-client.ts';
import type { JobHandler } from '../../../../agent/jobs/job-handler.ts';
import { DirectListener, type DirectListenerOptions } from '../../../../agent/roles/transfer/direct/direct-listener.ts';
import { type ChildGuard, createChildGuard } from '../../../../agent/runtime/child-guard/child-guard.ts';
import { systemClock } from '../../../../agent/runtime/clock.ts';
import { createLogger, type LogRecord } from '../../../../agent/runtime/logger.ts';
import { createStorageAccess } from '../../../../agent/storage/create-storage-access.ts';
import type { StorageAccess } from '../../../../agent/storage/storage-access.ts';
import { createStandIn, type StandIn } from '../../../stand-in/stand-in.ts';
import type { SeededAccount } from '../../../stand-in/state/seed-account.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres.ts';
import { type JobMemory, jobContext, settle } from '../job-context.ts';
import { insertLeasedJob } from '../job-row.ts';

const silent = { clock: systemClock, random: Math.random };

/** A certificate for 127.0.0.1 that is its own authority, and its key. */
export function makeCertificate(folder: string, name = 'gateway'): { certificateFile: string; keyFile: string } {
  const [keyFile, certificateFile] = [join(folder, `${name}-key.pem`), join(folder, `${name}.pem`)];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=gateway', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', keyFile, '-out', certificateFile], {
    stdio: 'ignore',
  });
  return { certificateFile, keyFile };
}

/** A file of the source gateway as iconik and the index know it. */
export interface KnownFile {
  assetId: string;
  formatId: string;
  fileSetId: string;
  fileId: string;
  path: string;
  content: Buffer;
  md5: string;
}

/** Two gateways of one account: the source's storage and listener, the target's storage; one iconik, one database. */
export class GatewayBench implements AsyncDisposable {
  readonly records: LogRecord[] = [];
  readonly log = createLogger([(record) => this.records.push(record)], () => 0);
  readonly #openListeners: DirectListener[] = [];
  readonly folder: string;
  readonly db: TestDatabase;
  readonly standIn: StandIn;
  readonly account: SeededAccount;
  readonly api: IconikClient;
  readonly guard: ChildGuard;
  readonly source: StorageAccess;
  readonly target: StorageAccess;
  readonly certificate: { certificateFile: string; keyFile: string };
  readonly createOnce: ReturnType<typeof createCreateOnce>;

  private constructor(parts: {
    folder: string;
    db: TestDatabase;
    standIn: StandIn;
    account: SeededAccount;
    guard: ChildGuard;
  }) {
    const { standIn, account, folder } = parts;
    this.folder = folder;
    this.db = parts.db;
    this.standIn = standIn;
    this.account = account;
    this.guard = parts.guard;
    this.certificate = makeCertificate(folder);
    const { url: baseUrl, appId, authToken } = standIn;
    this.api = createIconikApi({ ...silent, log: this.log, baseUrl, appId, authToken, requestsPerSecond: 500 });
    const [sourceId = '', targetId = ''] = account.storageIds;
    const shared = { guard: parts.guard, log: this.log };
    this.source = createStorageAccess({ ...shared, storageId: sourceId, mountPoint: join(folder, 'source') });
    this.target = createStorageAccess({
      ...shared,
      storageId: targetId,
      mountPoint: join(folder, 'target'),
      extraCa: readFileSync(this.certificate.certificateFile, 'utf8'),
    });
    const intents = createIntentStore(parts.db.database);
    this.createOnce = createCreateOnce({ ...silent, log: this.log, intents, settleMs: 50, deadlineMs: 2_000 });
  }

  static async open(): Promise<GatewayBench> {
    const folder = await mkdtemp(join(tmpdir(), 'gateways-'));
    for (const name of ['source', 'target']) await mkdir(join(folder, name));
    const db = await createTestDatabase();
    const standIn = await createStandIn({ dataDir: join(folder, 'stand-in') });
    const storages = ['source', 'target'].map((name) => ({ name, mountPoint: join(folder, name) }));
    const account = standIn.seed({ storages, gateways: [{ name: 'a', roles: ['TRANSFER'] }] });
    const bench = new GatewayBench({ folder, db, standIn, account, guard: await createChildGuard() });
    await bench.target.placeMarker();
    await bench.source.placeMarker();
    return bench;
  }

  /** A listener of the source gateway on a free port; `options` replace parts of it. */
  async listen(options: Partial<DirectListenerOptions> = {}): Promise<{ listener: DirectListener; origin: string }> {
    const listener = this.makeListener(options);
    await listener.start();
    return { listener, origin: `https://127.0.0.1:${listener.port}` };
  }

  /** The same, not yet started. */
  makeListener(options: Partial<DirectListenerOptions> = {}): DirectListener {
    const port = Number(new URL(options.address ? `https://x:${options.address.port}` : 'https://x:0').port);
    const listener = new DirectListener({
      iconik: this.api,
      sql: this.db.database,
      clock: systemClock,
      log: this.log,
      storageOf: (id) => (id === this.source.storageId ? this.source : null),
      isOpen: () => true,
      ...options,
      address: { host: '127.0.0.1', port, ...this.certificate },
    });
    this.#openListeners.push(listener);
    return listener;
  }

  /** A file on the source's disk, in iconik and in the index. */
  async ingest(path: string, content: Buffer): Promise<KnownFile> {
    const md5 = createHash('md5').update(content).digest('hex');
    await mkdir(join(this.folder, 'source', path, '..'), { recursive: true });
    await writeFile(join(this.folder, 'source', path), content);
    const { storageId } = this.source;
    const asset = await this.api.assets.create({ title: path, type: 'ASSET' });
    const format = await this.api.files.createFormat(asset.id, { name: 'ORIGINAL', components: [] });
    const at = { format_id: format.id, storage_id: storageId };
    const set = { ...at, base_dir: 'in', name: path, component_ids: [] };
    const fileSet = await this.api.files.createFileSet(asset.id, set);
    const name = path.slice(path.lastIndexOf('/') + 1);
    const file = await this.api.files.createFile(asset.id, {
      ...at,
      file_set_id: fileSet.id,
      directory_path: path.slice(0, Math.max(0, path.lastIndexOf('/'))),
      name,
      original_name: name,
      type: 'FILE',
      status: 'CLOSED',
      size: content.length,
      checksum: md5,
    });
    const facts = await this.source.stat(path);
    await this.db.database.execute(
      `INSERT INTO storage_file (storage_id, path_key, path, directory, size_bytes, mtime_ns, file_id, state, md5, asset_id,
         format_id, file_set_id, iconik_file_id)
       VALUES ($1, $2, $2, '', $3, $4::bigint, '1', 'ingested', $5, $6, $7, $8, $9)`,
      [storageId, path, content.length, facts?.mtimeNs ?? '0', md5, asset.id, format.id, fileSet.id, file.id],
    );
    return { assetId: asset.id, formatId: format.id, fileSetId: fileSet.id, fileId: file.id, path, content, md5 };
  }

  /** What the target's queue says, as MAIN puts it into a job. */
  orderDirect(file: KnownFile, originalUrl: string, directoryPath = 'got') {
    const { storageId } = this.target;
    const order = this.standIn.orderDownload({ fileSetId: file.fileSetId, storageId, directoryPath, originalUrl });
    const { assetId, formatId, fileSetId } = file;
    return {
      storageId,
      assetId,
      formatId,
      sourceFileSetId: fileSetId,
      destinationDirectoryPath: directoryPath,
      destinationFileSetName: file.path,
      transferId: order.recordId,
      originalUrl,
    };
  }

  async memory(kind: string): Promise<JobMemory> {
    return { ...(await insertLeasedJob(this.db.database, kind)), checkpoint: null, confirmations: 0, attempts: 0 };
  }

  /** Runs a job once; what it commits alongside its end is committed. */
  async runOnce(handler: JobHandler, payload: Record<string, unknown>, memory: JobMemory) {
    memory.attempts = (memory.attempts ?? 0) + 1;
    const context = jobContext({ payload: handler.payload.parse(payload), memory, kind: handler.kind });
    // As the runner's: what it offers is inherited, so a copy of it would have nothing.
    const inherited: typeof context = Object.create(context);
    const outcome = await settle(handler.run(inherited));
    if ((outcome.kind === 'done' || outcome.kind === 'failed') && outcome.alongside)
      await this.db.database.transaction(outcome.alongside);
    return outcome;
  }

  /** Runs a job until it is done, as the queue would. */
  async runToEnd(handler: JobHandler, payload: Record<string, unknown>, memory: JobMemory) {
    for (let attempt = 0; attempt < 60; attempt += 1) {
      const outcome = await this.runOnce(handler, payload, memory);
      if (outcome.kind === 'done') return outcome.result;
      if (outcome.kind === 'failed') throw new Error(JSON.stringify(outcome));
      await systemClock.sleep(50);
    }
    throw new Error('the job comes to no end');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#openListeners.map((listener) => listener.stop()));
    await Promise.all([this.source.stop(), this.target.stop()]);
    await this.guard.stop();
    await this.api.close();
    await this.standIn.close();
    await this.db.drop();
    await rm(this.folder, { recursive: true });
  }
}

/** One request to a listener, with its certificate verified; the connection is not kept. */
export function ask(
  url: string,
  options: { ca: string; method?: string; headers?: Record<string, string> },
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const { ca, method = 'GET', headers = {} } = options;
    const asked = request(url, { method, headers, ca: readFileSync(ca, 'utf8'), agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}
