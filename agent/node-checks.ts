import type { ServedStorage } from './cluster/served-storages.ts';
import { hasPlacedMarker } from './db/queries/storage-root.ts';
import { createDatabaseCheck } from './health/checks/database-check.ts';
import { createDiskCheck } from './health/checks/disk-check.ts';
import { createFfmpegCheck } from './health/checks/ffmpeg-check.ts';
import { createIconikCheck } from './health/checks/iconik-check.ts';
import { createJobsCheck } from './health/checks/jobs-check.ts';
import { createStorageCheck } from './health/checks/storage-check.ts';
import { createVersionCheck } from './health/checks/version-check.ts';
import type { HealthCheck } from './health/health-check.ts';
import type { IconikClient } from './iconik/iconik-client.ts';
import type { JobTrouble } from './jobs/job-trouble.ts';
import type { Sql } from './runtime/sql.ts';

/** What the checks of a node look at; functions answer for this instant. */
export interface NodeChecksOptions {
  database: Sql;
  api: IconikClient;
  dataDir: string;
  /** Milliseconds since the database last confirmed our heartbeat. */
  heartbeatAgoMs(): number;
  findFfmpeg(): Promise<unknown>;
  jobTroubles(): readonly JobTrouble[];
  /** What to say of newer nodes beside this one; null when there are none. */
  newerVersion(): { reason: string; remedy: string } | null;
  served(): readonly ServedStorage[];
}

/** The database has failed when it has not confirmed a heartbeat (sent each second) for this long. */
const DATABASE_SILENCE_MS = 3_000;

/** The health checks of a node: those that every node has, and one for each storage that it serves now. */
export class NodeChecks {
  readonly #options: NodeChecksOptions;
  readonly #fixed: readonly HealthCheck[];
  readonly #version: HealthCheck;
  readonly #ofStorages = new Map<string, { access: unknown; check: HealthCheck }>();
  /** Storages that are known to have got their marker. */
  readonly #marked = new Set<string>();

  constructor(options: NodeChecksOptions) {
    this.#options = options;
    this.#fixed = [
      createDatabaseCheck(() => options.heartbeatAgoMs(), DATABASE_SILENCE_MS),
      createIconikCheck(() => options.api.iconikHealth()),
      createDiskCheck(options.dataDir),
      createFfmpegCheck(() => options.findFfmpeg()),
      createJobsCheck(() => options.jobTroubles()),
    ];
    this.#version = createVersionCheck(() => options.newerVersion());
  }

  /** The checks that hold now; the same check for the same storage access. */
  wanted(): HealthCheck[] {
    const mixed = this.#options.newerVersion() === null ? [] : [this.#version];
    return [...this.#fixed, ...mixed, ...this.#options.served().map((served) => this.#ofStorage(served))];
  }

  /** Learns which storages have a marker; the database being away changes nothing about what was placed once. */
  async readMarkers(): Promise<void> {
    for (const { storage } of this.#options.served()) {
      const placed = await hasPlacedMarker(this.#options.database, storage.id).catch(() => false);
      if (placed) this.#marked.add(storage.id);
    }
  }

  #ofStorage({ storage, access }: ServedStorage): HealthCheck {
    const known = this.#ofStorages.get(storage.id);
    if (known?.access === access) return known.check;
    const served = () => this.#options.served().find((other) => other.storage.id === storage.id);
    const current = () => served()?.storage ?? storage;
    const check = createStorageCheck(current, access, () => this.#marked.has(storage.id));
    this.#ofStorages.set(storage.id, { access, check });
    return check;
  }
}
