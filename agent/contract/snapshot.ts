import { z } from 'zod';
import { availabilitySchema, checkResultSchema } from './health.ts';
import { roleSchema } from './role-schema.ts';

/**
 * The one state object of a node. Tray, tooltip, menu and window are drawn from it and from nothing else; it is sent
 * whole whenever something in it changed, at most a few times a second.
 */

/** What the agent is doing as a whole. Until `running` only `reason` says more. */
export const phaseSchema = z.enum(['set-up', 'waiting-for-iconik', 'waiting-for-database', 'running', 'stopping']);
/** What the agent is doing as a whole. */
export type Phase = z.infer<typeof phaseSchema>;

/** How this node stands in the election. */
const leadershipSchema = z.object({
  /** `worker`: no MAIN role. `nobody`: MAIN, but the lease is free or its holder is silent. `cannot-lead`: MAIN but not fit. */
  standing: z.enum(['leader', 'follower', 'cannot-lead', 'worker', 'nobody', 'unknown']),
  /** Term of the current leadership, ours or another's. */
  term: z.number().nullable(),
  /** Name of the leading node. */
  leaderName: z.string().nullable(),
  /** Since when it leads, milliseconds since the epoch by this machine; null when not known. */
  sinceMs: z.number().nullable(),
  /** Why this node cannot lead, in words; empty otherwise. */
  why: z.string(),
});

/** A role on this node. */
export const roleStateSchema = z.object({
  role: roleSchema,
  /** `paused`: held, but not worked on now, for the reason `why`. */
  state: z.enum(['working', 'paused']),
  why: z.string(),
  /** Jobs of this role running on this node, and how many may. For MAIN: of its own jobs. */
  running: z.number(),
  limit: z.number(),
  /** Jobs of this role queued in the cluster. */
  queued: z.number(),
  /** Last job of this role that failed in the cluster. */
  lastFailure: z.object({ jobId: z.string(), kind: z.string(), message: z.string(), atMs: z.number() }).nullable(),
});
/** A role on this node. */
export type RoleState = z.infer<typeof roleStateSchema>;

/** A worker of the cluster. */
export const memberSchema = z.object({
  workerId: z.string(),
  name: z.string(),
  host: z.string(),
  version: z.string(),
  roles: z.array(roleSchema),
  availability: availabilitySchema,
  reason: z.string(),
  isLeader: z.boolean(),
  /** Seen alive by this node's own reads. */
  isAlive: z.boolean(),
  isSelf: z.boolean(),
  /** Database time of the last heartbeat, milliseconds since the epoch; for display only. */
  lastSeenMs: z.number(),
  /** When its present or last run began, database time, milliseconds since the epoch; null until it was read. For display only. */
  startedMs: z.number().nullable().default(null),
  runningJobs: z.number(),
  /**
   * Whether `runningJobs` was counted long enough after the node came to its present availability: none that it took before is
   * missing. Versions that do not tell leave it out.
   */
  areJobsCounted: z.boolean().optional(),
  /** Whether its last run ended with a goodbye, and was not just no more seen. Versions that do not tell leave it out. */
  hasLeft: z.boolean().optional(),
  health: z.array(checkResultSchema),
});
/** A worker of the cluster. */
export type ClusterMember = z.infer<typeof memberSchema>;

/** One leadership of the past 24 hours, newest first. */
export const leadershipSpanSchema = z.object({
  term: z.number(),
  name: z.string(),
  why: z.string(),
  startedMs: z.number(),
  endedMs: z.number().nullable(),
  endWhy: z.string().nullable(),
});
/** One leadership of the past 24 hours. */
export type LeadershipSpan = z.infer<typeof leadershipSpanSchema>;

/** A failover drill that this node asked for. Times in milliseconds by the database's clock; null while not known. */
export const drillStateSchema = z.object({
  phase: z.enum(['handing-over', 'handing-back', 'completed', 'not-completed']),
  /** The node that is to lead meanwhile. */
  toName: z.string(),
  /** Why it was not completed; empty otherwise. */
  why: z.string(),
  /** When it was asked for, milliseconds since the epoch by this machine. */
  startedMs: z.number(),
  /** From the request until the other node led, and until this one led again. */
  handOverMs: z.number().nullable(),
  totalMs: z.number().nullable(),
  /** Without a leader on the way out and on the way back: from release to take-over. */
  outGapMs: z.number().nullable(),
  backGapMs: z.number().nullable(),
});
/** A failover drill that this node asked for. */
export type DrillState = z.infer<typeof drillStateSchema>;

/** One reason for which nobody leads, and the nodes it holds for. */
export const leaderlessCauseSchema = z.object({
  /** Closed list, for programs. */
  code: z.enum([
    'not-alive',
    'no-main-role',
    'disabled',
    'paused',
    'stopping',
    'duplicate',
    'database-differs',
    'database',
    'iconik',
    'storage',
    'not-known',
    'about-to-lead',
  ]),
  /** Names of the nodes. */
  nodes: z.array(z.string()).min(1),
  /** What is so, in one sentence without the names. */
  cause: z.string(),
  /** What to do about it. */
  remedy: z.string(),
});
/** One reason for which nobody leads. */
export type LeaderlessCause = z.infer<typeof leaderlessCauseSchema>;

/** A storage as this node serves it, with the counters of the report (reference C.5). */
export const storageStateSchema = z.object({
  id: z.string(),
  name: z.string(),
  mountPoint: z.string(),
  health: checkResultSchema,
  /** Files by state (contract: storage-file); states without files are absent. */
  files: z.record(z.string(), z.number()),
  folders: z.number(),
  lastScanEndedMs: z.number().nullable(),
  lastScanSeconds: z.number().nullable(),
  /** How far the scan under way is; null when none that lasts is. `ofFiles`: what the last one saw, null before the first. */
  scanning: z.object({ files: z.number(), ofFiles: z.number().nullable() }).nullable(),
  /** What was wrong with the last scan; null when nothing. */
  problem: z.string().nullable(),
  /** Whether iconik says that the storage is scanned. */
  scans: z.boolean(),
  /** The storage's settings as iconik has them, values as text; no secrets. */
  settings: z.record(z.string(), z.string()),
});
/** A storage as this node serves it. */
export type StorageState = z.infer<typeof storageStateSchema>;

/** A job running on this node. */
export const runningJobSchema = z.object({
  jobId: z.string(),
  role: roleSchema,
  kind: z.string(),
  /** File or other thing worked on; may be empty. */
  subject: z.string(),
  /** 0–1. */
  progress: z.number(),
  note: z.string(),
  startedMs: z.number(),
});
/** A job running on this node. */
export type RunningJob = z.infer<typeof runningJobSchema>;

/** What the cluster got done in one minute, by kind of job. */
export const throughputPointSchema = z.object({
  /** Start of the minute, milliseconds since the epoch (database time). */
  minuteMs: z.number(),
  role: roleSchema,
  jobs: z.number(),
  bytes: z.number(),
});
/** What the cluster got done in one minute. */
export type ThroughputPoint = z.infer<typeof throughputPointSchema>;

/** The one state object of a node. */
export const nodeSnapshotSchema = z.object({
  /** When it was taken, milliseconds since the epoch by this machine; views say how old older data is. */
  atMs: z.number(),
  phase: phaseSchema,
  /** What is waited for and what to do; empty while running. */
  reason: z.string(),
  node: z.object({
    name: z.string(),
    storageGatewayId: z.string(),
    workerId: z.string(),
    version: z.string(),
    host: z.string(),
    startedMs: z.number(),
    dataDir: z.string(),
    iconikUrl: z.string(),
    /** Last successful contact with iconik; null = none yet. */
    iconikContactMs: z.number().nullable(),
  }),
  status: z.object({
    availability: availabilitySchema,
    /** Cause and remedy in words; empty when all is well. */
    reason: z.string(),
  }),
  /** Whether this node was paused by hand (drains). */
  isPaused: z.boolean(),
  leadership: leadershipSchema,
  roles: z.array(roleStateSchema),
  checks: z.array(checkResultSchema),
  cluster: z.object({
    id: z.string().nullable(),
    name: z.string(),
    enabled: z.boolean(),
    members: z.array(memberSchema),
    uncoveredRoles: z.array(roleSchema),
    history: z.array(leadershipSpanSchema),
    /** Jobs that failed for good in the last 24 hours and were not queued again; counted up to 100 a role. */
    failedJobs: z.number(),
    /** Set once nobody has led for longer than an election takes: three times the time to live of the lease. */
    leaderless: z
      .object({
        /** Since when, milliseconds since the epoch by this machine. */
        sinceMs: z.number(),
        causes: z.array(leaderlessCauseSchema),
      })
      .nullable(),
    drill: z.object({
      /** Why none can begin now; null when one can (`cluster.drill`). */
      refusal: z.string().nullable(),
      /** The one that this node asked for last. */
      last: drillStateSchema.nullable(),
    }),
  }),
  storages: z.array(storageStateSchema),
  running: z.array(runningJobSchema),
  /** Last hour, oldest first. */
  throughput: z.array(throughputPointSchema),
});
/** The one state object of a node. */
export type NodeSnapshot = z.infer<typeof nodeSnapshotSchema>;
