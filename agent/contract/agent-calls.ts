import { z } from 'zod';
import { errorDetailSchema } from './error-detail.ts';
import { diagnosisSchema } from './finding.ts';
import { jobStateSchema } from './job.ts';
import { logPageFrame, logQueryShape } from './log-view.ts';
import { roleSchema } from './role-schema.ts';

/**
 * Every call that the desktop application may make to its agent: name, parameters, answer. Agent, main, preload bridge
 * and test doubles derive from this one value; a call without handler does not compile.
 */

/** A page of a list, read on demand. `cursor` is opaque; null = the beginning. */
const paging = { cursor: z.string().nullable(), limit: z.number().int().min(1).max(500) };
const none = z.object({});
const done = z.object({});

/** One row of the jobs screen. */
export const jobRowSchema = z.object({
  jobId: z.string(),
  role: roleSchema,
  kind: z.string(),
  state: jobStateSchema,
  subject: z.string(),
  storageId: z.string().nullable(),
  priority: z.number(),
  attempts: z.number(),
  progress: z.number(),
  note: z.string(),
  /** Name of the node that has it now; null when nobody. */
  nodeName: z.string().nullable(),
  createdMs: z.number(),
  startedMs: z.number().nullable(),
  finishedMs: z.number().nullable(),
  error: errorDetailSchema.nullable(),
});
/** One row of the jobs screen. */
export type JobRow = z.infer<typeof jobRowSchema>;

/** One log record. */
export const logLineSchema = z.object({
  /** Grows with time within one node; identifies the line. */
  seq: z.number(),
  atMs: z.number(),
  level: z.enum(['debug', 'info', 'warn', 'error']),
  message: z.string(),
  /** Fields as compact JSON; empty when none. */
  fields: z.string(),
});
/** One log record. */
export type LogLine = z.infer<typeof logLineSchema>;

const tierSchema = z.enum(['config.ini', 'node', 'cluster', 'default']);
/** One setting with all its tiers. */
export const settingRowSchema = z.object({
  name: z.string(),
  /** What it does, in one plain sentence. */
  explanation: z.string(),
  value: z.number(),
  wonBy: tierSchema,
  beaten: z.array(z.object({ tier: tierSchema, value: z.number() })),
  min: z.number(),
  max: z.number(),
  unit: z.string(),
  /** Tiers that may hold it (visibility_timeout: only the cluster). */
  tiers: z.array(tierSchema),
  /** What a tier says and may not say, and why it has no effect, in words. */
  remarks: z.array(z.string()),
});
/** One setting with all its tiers. */
export type SettingRow = z.infer<typeof settingRowSchema>;

/** A file of a storage that needs attention. */
export const problemFileSchema = z.object({
  path: z.string(),
  state: z.string(),
  sizeBytes: z.number(),
  reason: z.string(),
});
/** A file of a storage that needs attention. */
export type ProblemFile = z.infer<typeof problemFileSchema>;

const account = { iconikUrl: z.string(), appId: z.string(), authToken: z.string() };

/** The calls. */
export const AGENT_CALLS = {
  'jobs.list': {
    params: z.object({
      roles: z.array(roleSchema),
      states: z.array(jobStateSchema),
      storageId: z.string().nullable(),
      /** Only jobs that run on a node of this name now; null = on any node, or on none. */
      nodeName: z.string().max(500).nullable(),
      text: z.string().max(200),
      ...paging,
    }),
    answer: z.object({ rows: z.array(jobRowSchema), nextCursor: z.string().nullable(), total: z.number() }),
  },
  /** Asks the running attempt to stop, or takes a queued job out of the queue. */
  'jobs.cancel': { params: z.object({ jobId: z.string() }), answer: done },
  /** Queues a failed or cancelled job again with fresh attempts. */
  'jobs.retry': { params: z.object({ jobId: z.string() }), answer: done },
  'jobs.set-priority': {
    params: z.object({ jobId: z.string(), priority: z.number().int().min(1).max(10) }),
    answer: done,
  },
  'storages.problems': {
    params: z.object({ storageId: z.string(), ...paging }),
    answer: z.object({ rows: z.array(problemFileSchema), nextCursor: z.string().nullable() }),
  },
  /**
   * Orders that all files of a directory ('' = the whole storage) be read and compared with their recorded digests. Answers
   * whether that was new; an order that waits or runs already stays the only one.
   */
  'storages.verify': {
    params: z.object({ storageId: z.string().min(1), directory: z.string().max(4096) }),
    answer: z.object({ isNew: z.boolean() }),
  },
  /** Orders that the recorded digests of a directory be written into it as an ASC MHL history; answers like `storages.verify`. */
  'storages.write-mhl': {
    params: z.object({ storageId: z.string().min(1), directory: z.string().max(4096) }),
    answer: z.object({ isNew: z.boolean() }),
  },
  /**
   * Log lines of a node at a place, oldest first: this node's from its own store, another's from the database of the cluster,
   * where they are some seconds later. Refused as `pattern-invalid` or `pattern-too-slow` for what is no usable pattern.
   */
  'logs.read': {
    params: z.object({
      /** Worker id of another node; null = this node. */
      workerId: z.string().max(200).nullable().default(null),
      ...logQueryShape,
    }),
    answer: z.object({ lines: z.array(logLineSchema), ...logPageFrame }),
  },
  /** Sends this node's log files to iconik, where they are kept for 30 days. Answers under which name. */
  'logs.send': { params: none, answer: z.object({ filename: z.string() }) },
  /** Looks once at everything the node depends on, beside its work; within 5 s, also while it waits for iconik or the database. */
  'doctor.run': { params: none, answer: diagnosisSchema },
  /** Stops taking jobs and leading; running jobs finish. Lasts until resumed or restarted. */
  'node.pause': { params: none, answer: done },
  'node.resume': { params: none, answer: done },
  /** Sets `enabled` of the cluster in iconik; all nodes follow within 10 s. */
  'cluster.set-enabled': { params: z.object({ enabled: z.boolean() }), answer: done },
  /**
   * Failover drill: hands the leadership to a healthy follower and back. Only while this node leads; refused with the reason
   * when no other node is fit. Answers when it has begun; progress and result stand in the snapshot.
   */
  'cluster.drill': { params: none, answer: z.object({ successor: z.string() }) },
  /**
   * Asks for the turn to install a new version: one node of the cluster at a time, the leading one last. `isAsked`: a person
   * wants it now. `node` is the one that is waited for, or on which the version failed. `because` says more than `why` to
   * those who know it; an unknown one is left out, and the other end of another version reads `why`.
   */
  'update.claim-turn': {
    params: z.object({ version: z.string().max(100), isAsked: z.boolean() }),
    answer: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('yours'), turn: z.number() }),
      z.object({
        kind: z.literal('not-now'),
        why: z.enum(['leads', 'another-updates', 'failed-elsewhere']),
        node: z.string(),
        because: z.enum(['skips-release', 'not-available']).optional().catch(undefined),
      }),
    ]),
  },
  /** Keeps the turn; `isInstalling` right before the program is replaced. Not held: nothing may be installed. */
  'update.hold-turn': {
    params: z.object({ turn: z.number().int(), isInstalling: z.boolean() }),
    answer: z.object({ isHeld: z.boolean() }),
  },
  /** Gives the turn back (null: there is none) and tells the cluster how the version fared on this node. */
  'update.end-turn': {
    params: z.object({
      turn: z.number().int().nullable(),
      outcome: z.enum(['given-up', 'installed', 'failed']),
      version: z.string().max(100),
    }),
    answer: done,
  },
  'settings.read': { params: none, answer: z.object({ rows: z.array(settingRowSchema) }) },
  /** Changes a setting of the node's or the cluster's tier in iconik; null removes it from the tier. */
  'settings.write': {
    params: z.object({ name: z.string(), tier: z.enum(['node', 'cluster']), value: z.number().nullable() }),
    answer: done,
  },
  /** Set-up: whether iconik accepts this token, and what the account has. Nothing is kept. */
  'setup.look': {
    params: z.object(account),
    answer: z.object({
      clusters: z.array(z.object({ id: z.string(), name: z.string() })),
      gateways: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          clusterId: z.string().nullable(),
          storageIds: z.array(z.string()),
          /** Mount points that the gateway has already, by storage id; they win over the storage's own. */
          mounts: z.record(z.string(), z.string()),
        }),
      ),
      storages: z.array(z.object({ id: z.string(), name: z.string(), mountPoint: z.string() })),
    }),
  },
  /** Set-up: makes a cluster (when `clusterId` is null) and a gateway with all roles in it. */
  'setup.create-gateway': {
    params: z.object({
      ...account,
      clusterId: z.string().nullable(),
      clusterName: z.string().min(1).max(200),
      gatewayName: z.string().min(1).max(200),
      storageIds: z.array(z.string()).min(1),
    }),
    answer: z.object({ storageGatewayId: z.string() }),
  },
  /** Set-up: whether a folder can be read and written as the mount point of a storage. */
  'setup.test-mount': {
    params: z.object({ mountPoint: z.string(), storageId: z.string() }),
    answer: z.object({ ok: z.boolean(), reason: z.string(), remedy: z.string() }),
  },
  /** Set-up: tells iconik where this gateway mounts its storages. */
  'setup.set-mounts': {
    params: z.object({ ...account, storageGatewayId: z.string(), mounts: z.record(z.string(), z.string()) }),
    answer: done,
  },
} as const;

/** Name of a call. */
export type AgentCallName = keyof typeof AGENT_CALLS;
/** Parameters of a call. */
export type AgentParams<Name extends AgentCallName> = z.infer<(typeof AGENT_CALLS)[Name]['params']>;
/** Answer of a call. */
export type AgentAnswer<Name extends AgentCallName> = z.infer<(typeof AGENT_CALLS)[Name]['answer']>;
/** One handler per call. */
export type AgentCallHandlers = { [Name in AgentCallName]: (params: AgentParams<Name>) => Promise<AgentAnswer<Name>> };
