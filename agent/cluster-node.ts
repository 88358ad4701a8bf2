import type { ClusterDatabase } from './cluster/cluster-database.ts';
import { type Entities, EntityWatch } from './cluster/entities.ts';
import { LogShipping } from './cluster/log-shipping/log-shipping.ts';
import { Membership } from './cluster/membership.ts';
import {
  leadership,
  type NodeFacts,
  type NodeStatus,
  nodeStatus,
  uncoveredRoles,
  workingRoles,
} from './cluster/node-status.ts';
import { Pulse } from './cluster/pulse/pulse.ts';
import { createPgShareStore, credentialName } from './cluster/request-share/pg-share-store.ts';
import { RequestShare } from './cluster/request-share/request-share.ts';
import { ServedStorages } from './cluster/served-storages.ts';
import { VersionWatch } from './cluster/version-watch.ts';
import { type ResolvedTunables, resolveTunables, resolveVisibilityTimeout } from './config/precedence.ts';
import { SettingsJournal } from './config/settings-journal.ts';
import type { CheckResult } from './contract/index.ts';
import type { WorkerIdentity, WorkerStatus } from './db/queries/worker.ts';
import { readExtraCa } from './extra-ca.ts';
import { storageCheckName } from './health/checks/storage-check.ts';
import { HealthMonitor } from './health/monitor.ts';
import type { IconikClient } from './iconik/iconik-client.ts';
import { quarantineTrouble } from './jobs/job-trouble.ts';
import { createPgJobStore } from './jobs/pg-job-store.ts';
import { JobRunner, type Lane, type Reach } from './jobs/runner.ts';
import type { FailoverDrill } from './leader/drill.ts';
import type { Elector } from './leader/elector.ts';
import { nodeBandwidth } from './node-bandwidth.ts';
import { NodeChecks } from './node-checks.ts';
import type { NodeHost } from './node-host.ts';
import { createNodeLeadership, leaderTimes } from './node-leadership.ts';
import { createNodeRecording } from './node-recording.ts';
import { createNodeRoles, type NodeRoles } from './node-roles.ts';
import type { NodeView, OperatedNode } from './operator/operated-node.ts';
import { EVENT_JOB_KINDS } from './roles/main/queues/gateway-event-table.ts';
import type { ChildGuard } from './runtime/child-guard/child-guard.ts';
import { systemClock } from './runtime/clock.ts';
import { coerceError, type IsgError } from './runtime/errors.ts';
import type { Service } from './runtime/service.ts';
import { Together } from './runtime/together.ts';
import { stallWindows } from './stall-windows.ts';
import type { Bandwidth } from './storage/bandwidth/bandwidth.ts';
import { createStorageAccess } from './storage/create-storage-access.ts';
import { createUnusableAccess } from './storage/unusable-access.ts';
import { VERSION } from './version.ts';

/** Whoever orders the upload of the logs waits for it. */
const SEND_LOGS_MS = 80_000;

/** What a node is composed of once iconik and the database have answered. */
export interface ClusterNodeOptions {
  host: NodeHost;
  guard: ChildGuard;
  api: IconikClient;
  database: ClusterDatabase;
  self: Omit<WorkerIdentity, 'version'>;
  entities: Entities;
  machine: { name: string; ip: string; info: string };
  /** Told once when the database has come to need a newer version: the node is to be stopped, in order, for good. */
  onOutdated: (error: IsgError) => void;
}

/**
 * A node of the cluster: wires membership, health, the job runner and the roles (checks: node-checks.ts, election and
 * drill: node-leadership.ts), and derives what the node may
 * do at this instant from one set of facts. Services start in order and stop in reverse.
 */
export class ClusterNode implements Service, OperatedNode {
  readonly #options: ClusterNodeOptions;
  readonly #self: WorkerIdentity;
  readonly #extraCa: string | null;
  readonly #recording: ReturnType<typeof createNodeRecording>;
  readonly #bandwidth: Bandwidth;
  readonly #storages: ServedStorages;
  readonly #entities: EntityWatch;
  readonly #pulse: Pulse;
  readonly #membership: Membership;
  readonly #share: RequestShare;
  readonly #versions: VersionWatch;
  readonly #health: HealthMonitor;
  readonly #roles: NodeRoles;
  readonly #runner: JobRunner;
  readonly #drill: FailoverDrill;
  readonly #elector: Elector;
  readonly #checks: NodeChecks;
  readonly #journal: SettingsJournal;
  #unfollowConfig = (): void => undefined;
  #draining = false;
  #isPaused = false;
  #iconikReadMs: number | null = null;
  #started: Service[] = [];

  constructor(options: ClusterNodeOptions) {
    this.#options = options;
    this.#journal = new SettingsJournal(options.host.log);
    this.#self = { ...options.self, version: VERSION };
    this.#recording = createNodeRecording(process.env.ISG_PRO_HISTORY, options.self);
    this.#bandwidth = nodeBandwidth(options.host.config, { clock: systemClock });
    this.#extraCa = readExtraCa(options.host);
    this.#storages = this.#createStorages();
    this.#entities = this.#createEntityWatch();
    this.#pulse = this.#createPulse();
    this.#membership = this.#createMembership();
    this.#share = this.#createShare();
    this.#versions = this.#createVersionWatch();
    this.#roles = this.#createRoles();
    this.#checks = this.#createChecks();
    this.#health = new HealthMonitor({
      checks: () => this.#checks.wanted(),
      clock: systemClock,
      log: options.host.log,
      onChange: (result) => this.#onHealth(result),
    });
    this.#runner = this.#createRunner();
    ({ elector: this.#elector, drill: this.#drill } = this.#createLeadership());
  }

  #createStorages(): ServedStorages {
    const { guard, host } = this.#options;
    const { httpsProxy, stallMs } = host.config;
    const bandwidth = this.#bandwidth;
    const shared = {
      guard,
      log: host.log,
      bandwidth,
      httpsProxy: httpsProxy ?? null,
      extraCa: this.#extraCa,
      ...stallWindows(stallMs).storage,
    };
    return new ServedStorages((storageId, mountPoint) => {
      try {
        return createStorageAccess({ storageId, mountPoint, ...shared });
      } catch (thrown) {
        // A mount point that is none is typed into iconik by people; it must not end the agent.
        return createUnusableAccess(storageId, mountPoint, coerceError(thrown));
      }
    });
  }

  #createEntityWatch(): EntityWatch {
    const { host, api, database, entities } = this.#options;
    return new EntityWatch({
      api: api.inLine('vital'),
      database: database.work,
      storageGatewayId: host.config.storageGatewayId,
      first: entities,
      clock: systemClock,
      log: host.log,
      onRead: (read) => {
        this.#iconikReadMs = systemClock.wallMs();
        void this.#follow(read).catch((thrown) => this.#sayNotFollowed(thrown));
      },
      onNewerCopy: (newest) => {
        host.observer?.changed();
        void this.#follow(newest).catch((thrown) => this.#sayNotFollowed(thrown));
      },
    });
  }

  #createPulse(): Pulse {
    const { host, database } = this.#options;
    return new Pulse({ uri: database.uri, self: this.#self, times: leaderTimes(host.config), log: host.log });
  }

  #createMembership(): Membership {
    const { host, database } = this.#options;
    return new Membership({
      database: database.pulse,
      self: this.#self,
      lapseMs: host.config.heartbeatLapseMs,
      clock: systemClock,
      log: host.log,
      heartbeat: this.#pulse.heartbeat,
      status: () => this.#workerStatus(),
      trustedTerm: () => this.#elector.trustedTerm(),
      onHold: (holds) => this.#onHold(holds),
    });
  }

  #createShare(): RequestShare {
    const { host, api, database } = this.#options;
    const { iconikUrl, appId, iconikRequestsPerSecond } = host.config;
    return new RequestShare({
      store: createPgShareStore(database.work, credentialName(iconikUrl, appId)),
      runId: this.#self.runId,
      perSecond: iconikRequestsPerSecond,
      pace: api.pace,
      members: () =>
        this.#membership.members().map(({ run_id: runId, alive, leads }) => ({ runId, isAlive: alive, leads })),
      confirmedAgoMs: () => this.#membership.confirmedAgoMs(),
      isLeader: () => this.#elector.trustedTerm() !== null,
      clock: systemClock,
      log: host.log,
    });
  }

  #createVersionWatch(): VersionWatch {
    const { host, database, onOutdated } = this.#options;
    return new VersionWatch({
      database: database.pulse,
      version: VERSION,
      members: () => this.#membership.members(),
      clock: systemClock,
      log: host.log,
      onOutdated,
    });
  }

  #createLogShipping(): LogShipping {
    const { host, database } = this.#options;
    const { workerId, name: node } = this.#self;
    return new LogShipping({
      target: { uri: database.uri, workerId, node },
      shipLog: host.shipLog,
      setLogBusy: host.setLogBusy,
      hasJobs: () => this.#runner.running().length > 0,
    });
  }

  #createRoles(): NodeRoles {
    const { host, guard, api, database, machine } = this.#options;
    return createNodeRoles({
      host,
      guard,
      api: this.#recording.api(api),
      database: database.work,
      machine,
      bandwidth: this.#bandwidth,
      workerId: this.#self.workerId,
      served: () => this.#storages.list(),
      isStorageHealthy: (id) => this.#health.verdict(storageCheckName(id)).status === 'ok',
      storageHealth: (id) => this.#health.verdict(storageCheckName(id)),
      tunables: () => this.#tunables(),
      status: () => this.status(),
      isLeader: () => this.#elector.trustedTerm() !== null,
      isTransferring: () => workingRoles(this.#facts()).has('TRANSFER'),
      extraCa: this.#extraCa,
      isLast: () => this.#isLast(),
    });
  }

  #createChecks(): NodeChecks {
    const { api, host, database } = this.#options;
    return new NodeChecks({
      database: database.work,
      api,
      dataDir: host.config.dataDir,
      heartbeatAgoMs: () => this.#membership.confirmedAgoMs(),
      findFfmpeg: () => this.#roles.findFfmpeg(),
      jobTroubles: () => [...this.#runner.quarantined().map(quarantineTrouble), ...this.#roles.queueTroubles()],
      newerVersion: () => this.#versions.newer(),
      served: () => this.#storages.list(),
    });
  }

  #createRunner(): JobRunner {
    const { host, database } = this.#options;
    return new JobRunner({
      store: this.#recording.jobs(createPgJobStore(database.work, this.#self)),
      handlers: this.#roles.handlers,
      lanes: this.#lanes(),
      reach: () => this.#reach(),
      renewer: this.#pulse.leases,
      ...stallWindows(host.config.stallMs).job,
      clock: systemClock,
      random: Math.random,
      log: host.log,
    });
  }

  #createLeadership(): ReturnType<typeof createNodeLeadership> {
    const { host, database } = this.#options;
    return createNodeLeadership({
      host,
      database,
      self: this.#self,
      pulse: this.#pulse,
      membership: this.#membership,
      recording: this.#recording,
      work: this.#roles.leaderWork,
      eligibility: () => leadership(this.#facts()),
      onChange: (term) => this.#onLeadership(term),
    });
  }

  /** Starts everything; throws when the database is away at registration. */
  async start(): Promise<void> {
    this.#unfollowConfig = this.#options.host.onConfigChange(() => this.#onSettings());
    await this.#roles.cleanUp();
    await this.#follow(this.#options.entities);
    if (!(await this.#startPulse())) return;
    await this.#startOne(this.#membership);
    if (this.#options.host.config.noWait && !this.#membership.holds()) throw this.#duplicate();
    for (const service of [
      this.#createLogShipping(),
      this.#share,
      this.#versions,
      this.#entities,
      this.#health,
      this.#roles.telemetry,
      // Leader work and jobs may need some seconds each to settle, and an orderly stop has one limit for all of it.
      new Together([this.#runner, this.#roles.directListener, this.#elector]),
    ]) {
      await this.#startOne(service);
    }
  }

  /** Stops in reverse order: the leadership is handed over while jobs are given back, before the heartbeat ends. */
  async stop(): Promise<void> {
    this.#draining = true;
    this.#unfollowConfig();
    this.#drill.stop();
    for (const service of this.#started.toReversed()) {
      await service.stop().catch((thrown) => {
        this.#options.host.log.error('A part of the node did not stop cleanly', { error: coerceError(thrown).message });
      });
    }
    this.#started = [];
    await this.#roles.stop();
    await this.#storages.stop();
  }

  /** What this node says of itself. */
  status(): NodeStatus {
    return nodeStatus(this.#facts());
  }

  /** What operators are shown. */
  view(): NodeView {
    const facts = this.#facts();
    const { cluster } = this.#entities.current();
    return {
      entities: this.#entities.current(),
      iconikReadMs: this.#iconikReadMs,
      facts,
      status: nodeStatus(facts),
      isPaused: this.#isPaused,
      election: this.#elector.view(),
      leaderTtlMs: this.#options.host.config.leaderTtlMs,
      eligibility: this.#elector.eligibility(),
      workingRoles: workingRoles(facts),
      members: this.#membership.members(),
      running: this.#runner.running(),
      lanes: this.#lanes().map(({ role, limit }) => ({ role, limit: limit() })),
      storages: this.#storages.list(),
      storageHealth: (id) => this.#health.verdict(storageCheckName(id)),
      tunables: this.#tunables(),
      visibilityTimeout: resolveVisibilityTimeout(cluster ? { ...cluster } : null),
      drill: { refusal: this.#drill.refusal(), last: this.#drill.last() },
    };
  }

  /** Begins a failover drill; throws with the reason when none can begin. */
  beginDrill(): Promise<{ successor: string }> {
    return this.#drill.begin();
  }

  /** Sends this node's logs to iconik as those of its gateway. Answers the name of the file. */
  sendLogs(): Promise<string> {
    const { config, stopSignal } = this.#options.host;
    const signal = AbortSignal.any([stopSignal, AbortSignal.timeout(SEND_LOGS_MS)]);
    return this.#roles.logUpload.upload({ storageGatewayId: config.storageGatewayId }, signal);
  }

  /** Stops taking jobs and leading until resumed; running jobs finish. */
  async setPaused(isPaused: boolean): Promise<void> {
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#options.host.log.info(isPaused ? 'This node is paused by its operator' : 'This node works again');
    this.#roles.telemetry.wake();
    this.#options.host.observer?.changed();
    await this.#membership.beatNow();
  }

  /** Reads gateway, cluster and storages now. */
  async rereadEntities(): Promise<void> {
    await this.#entities.readNow();
    this.#options.host.observer?.changed();
  }

  // A renewal thread that does not come up must not keep the node from stopping; false when it is to stop.
  async #startPulse(): Promise<boolean> {
    const { stopSignal } = this.#options.host;
    const giveUp = () => void this.#pulse.stop();
    stopSignal.addEventListener('abort', giveUp, { once: true });
    await this.#startOne(this.#pulse);
    stopSignal.removeEventListener('abort', giveUp);
    return !stopSignal.aborted;
  }

  async #startOne(service: Service): Promise<void> {
    await service.start();
    this.#started.push(service);
  }

  #duplicate(): Error {
    const holder = this.#membership.holder();
    return new DuplicateRefusedError(holder ? `${holder.host} (worker ${holder.worker_id})` : 'another node');
  }

  #facts(): NodeFacts {
    const { gateway, cluster } = this.#entities.current();
    const holder = this.#membership.holder();
    return {
      name: gateway.name,
      roles: gateway.roles,
      clusterEnabled: cluster?.enabled ?? true,
      nodeEnabled: gateway.enabled,
      draining: this.#draining || this.#isPaused,
      paused: this.#isPaused && !this.#draining,
      holdsGatewayId: this.#membership.holds(),
      otherHolder: holder ? `${holder.host} (worker ${holder.worker_id})` : null,
      idleReason: this.#idleReason(),
      checks: this.#health.results(),
      term: this.#elector.trustedTerm(),
      uncoveredRoles: uncoveredRoles(
        this.#membership.members().map((member) => ({ ...member, availability: member.availability_status })),
      ),
    };
  }

  // A node that merely steps down may come back; others may be on their way only if they are available now.
  #isLast(): boolean {
    const { clusterEnabled, nodeEnabled, draining, paused } = this.#facts();
    const isEnding = !clusterEnabled || !nodeEnabled || (draining && !paused);
    if (!isEnding || !clusterEnabled) return isEnding;
    return !this.#membership
      .members()
      .some(
        (member) =>
          member.run_id !== this.#self.runId &&
          member.alive &&
          member.availability_status === 'available' &&
          member.roles.includes('MAIN'),
      );
  }

  // The node keeps to the database it started with: half a cluster on another database would lead twice.
  #idleReason(): string | null {
    const { cluster, fromCopy } = this.#entities.current();
    const uri = cluster?.db_connection_uri ?? '';
    if (fromCopy || uri === '' || uri === this.#options.database.uri) return null;
    return 'The database of the cluster was changed in iconik (db-uri-differs). This node does no work until it is restarted with the new one.';
  }

  #workerStatus(): WorkerStatus {
    const facts = this.#facts();
    const { availability, reason } = nodeStatus(facts);
    return { roles: facts.roles, availability, reason, health: facts.checks };
  }

  // Slots are taken by what counts now: with more of them, work need not wait for the next look at the queue.
  #onSettings(): void {
    this.#tellSettings();
    this.#runner.wake();
    this.#options.host.observer?.changed();
  }

  #tellSettings(): void {
    const { gateway, cluster } = this.#entities.current();
    const visibility = resolveVisibilityTimeout(cluster ? { ...cluster } : null);
    this.#journal.note({ ...this.#tunables(), visibility_timeout: visibility }, gateway.settings);
  }

  async #follow(entities: Entities): Promise<void> {
    this.#tellSettings();
    await this.#storages.follow(entities);
    await this.#checks.readMarkers();
  }

  #sayNotFollowed(thrown: unknown): void {
    const error = coerceError(thrown).message;
    this.#options.host.log.error('The storages could not be brought in line with iconik; trying again', { error });
  }

  #tunables(): ResolvedTunables {
    const { gateway, cluster } = this.#entities.current();
    return resolveTunables({
      configIni: this.#options.host.config.tunables,
      node: gateway.settings,
      cluster: cluster?.settings,
    });
  }

  #lanes(): Lane[] {
    const limit = (name: keyof ResolvedTunables) => () => this.#tunables()[name].value;
    return [
      { role: 'CHECKSUM', kinds: ['checksum'], limit: limit('checksum_max_workers') },
      { role: 'CHECKSUM', kinds: ['verify', 'write-mhl'], limit: () => 1 },
      { role: 'TRANSCODE', kinds: ['transcode'], limit: limit('max_transcoding_jobs'), perProfile: true },
      { role: 'TRANSFER', kinds: ['upload', 'relay-upload'], limit: limit('file_upload_parallel_uploads_num') },
      {
        role: 'TRANSFER',
        kinds: ['download', 'direct-download', 'relay-download', 'relay-cleanup'],
        limit: limit('file_download_parallel_downloads_num'),
      },
      { role: 'TRANSFER', kinds: ['delete-copy', 'clear-remains'], limit: () => 2 },
      { role: 'MAIN', kinds: ['delete'], limit: () => 2 },
      { role: 'MAIN', kinds: EVENT_JOB_KINDS, limit: () => 2 },
    ];
  }

  #reach(): Reach {
    const healthy = this.#storages.list().map(({ storage }) => storage.id);
    const { cluster } = this.#entities.current();
    return {
      roles: workingRoles(this.#facts()),
      storageIds: healthy.filter((id) => this.#health.verdict(storageCheckName(id)).status === 'ok'),
      term: this.#elector.trustedTerm(),
      priorityOrder: this.#options.host.config.priorityOrder,
      visibilityTimeoutS: resolveVisibilityTimeout(cluster ? { ...cluster } : null).value,
    };
  }

  #onHold(holds: boolean): void {
    if (!holds && this.#started.length > 0)
      this.#options.host.log.warn('Another run took the storage gateway id of this node');
    this.#roles.telemetry.wake();
    this.#options.host.observer?.changed();
  }

  #onHealth(result: CheckResult): void {
    this.#options.host.log.debug('Health verdict', { check: result.check, status: result.status });
    this.#elector.wake();
    this.#roles.telemetry.wake();
    this.#options.host.observer?.changed();
  }

  #onLeadership(term: number | null): void {
    if (term === null) this.#runner.leadershipEnded();
    this.#roles.telemetry.wake();
    this.#options.host.observer?.changed();
  }
}

/** Another run holds the storage gateway id, and `--no-wait` says not to wait for it. */
export class DuplicateRefusedError extends Error {
  constructor(holder: string) {
    super(
      `The storage gateway id of this node is in use by ${holder}. Stop that node, or give this one an id of its own; without --no-wait this node would wait.`,
    );
    this.name = 'DuplicateRefusedError';
  }
}
