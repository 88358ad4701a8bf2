import { z } from 'zod';
import { diagnosisSchema, nodeSnapshotSchema } from '../../agent/contract/index.ts';

/**
 * What the window and the tray are drawn from: main's own state and the agent's last snapshot. Main is its only writer;
 * `tray-model.ts` and every screen derive from it.
 */

/** How this application stands with the system service that runs the node in its place. */
const serviceStandingSchema = z.object({
  at: z.enum(['connecting', 'attached', 'not-running', 'forbidden', 'other-version', 'removed']),
  /** In one short sentence, for tray and headlines. */
  sentence: z.string(),
  /** Words of the button that starts something by hand; null when that could do nothing. */
  restart: z.string().nullable(),
});

/** State of the supervised agent (main/agent-host). */
export const agentStateSchema = z.object({
  state: z.enum(['stopped', 'starting', 'running', 'unresponsive', 'backing-off', 'stopping', 'gave-up-for-now']),
  /** What happened and what comes next, in words; empty while running. */
  reason: z.string(),
  /** Since when it is in this state, milliseconds since the epoch. */
  sinceMs: z.number(),
  /** When the next start is tried, milliseconds since the epoch; null when none is planned. */
  nextStartMs: z.number().nullable(),
  /** Exit code of the last run that ended by itself; null when none did. */
  lastExitCode: z.number().nullable(),
  /** Last lines of the agent's standard error, for the reason of a failure. */
  lastWords: z.array(z.string()),
  /** Absent for an agent that this application runs itself. */
  service: serviceStandingSchema.optional(),
});
/** State of the supervised agent. */
export type AgentState = z.infer<typeof agentStateSchema>;

/** The full check (the agent's doctor): whether one runs, and what the last one found. */
export const checkStateSchema = z.object({
  /** Since when one runs, milliseconds since the epoch; null when none does. */
  runningSinceMs: z.number().nullable(),
  /** What the last one found; null before the first of this run of the application. */
  last: z.object({ atMs: z.number(), tookMs: z.number(), diagnosis: diagnosisSchema }).nullable(),
  /** Why the newest one could not be made, in words; empty when it was. */
  failure: z.string(),
});
/** The full check. */
export type CheckState = z.infer<typeof checkStateSchema>;

/** A support bundle that is being made: what it does now, and how much of it is done, from 0 to 1. */
const bundleStateSchema = z.object({ doing: z.string(), share: z.number().min(0).max(1) });

/** How the last installation of an update ended: shown to people, and remembered by this node. */
export const lastUpdateSchema = z.object({
  outcome: z.enum(['updated', 'rolled-back', 'not-installed', 'failed']),
  version: z.string(),
  from: z.string(),
  why: z.string(),
  atMs: z.number(),
});

/** Updates of this program (main/updates). */
export const updateStateSchema = z.object({
  state: z.enum([
    'off',
    'idle',
    'checking',
    'downloading',
    'ready',
    'waiting',
    'draining',
    'installing',
    'confirming',
    'rolling-back',
  ]),
  /** The version that is found, loaded, installed or confirmed, or of which `why` tells; null when there is none. */
  version: z.string().nullable(),
  /** Of the download, 0 to 100. */
  percent: z.number(),
  /** What it waits for, why it is off, or what failed, in words; empty when there is nothing to say. */
  why: z.string(),
  /** Whether a person asked to install it now. */
  isAsked: z.boolean(),
  /** How the last installation ended; null when none is known. */
  last: lastUpdateSchema.nullable(),
});
/** Updates of this program. */
export type UpdateView = z.infer<typeof updateStateSchema>;

/** What the window and the tray are drawn from. */
export const appStateSchema = z.object({
  appVersion: z.string(),
  platform: z.enum(['win32', 'darwin', 'linux']),
  agent: agentStateSchema,
  /** Last snapshot of the agent, also when it is down now (`agent.state` tells); null before the first. */
  snapshot: nodeSnapshotSchema.nullable(),
  config: z.object({
    path: z.string(),
    /** `absent` opens the set-up assistant. */
    status: z.enum(['absent', 'ok', 'invalid']),
    /** All problems, each with its line; never a value. */
    problems: z.array(z.string()),
  }),
  logFolder: z.string(),
  check: checkStateSchema,
  /** Null while no support bundle is being made. */
  bundle: bundleStateSchema.nullable(),
  /** Version of an update that is ready to install; null when none. */
  updateReady: z.string().nullable(),
  update: updateStateSchema,
});
/** What the window and the tray are drawn from. */
export type AppState = z.infer<typeof appStateSchema>;
