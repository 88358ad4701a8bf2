import { z } from 'zod';
import { nodeSnapshotSchema } from '../../agent/contract/index.ts';

/**
 * What the window and the tray are drawn from: main's own state and the agent's last snapshot. Main is its only writer;
 * `tray-model.ts` and every screen derive from it.
 */

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
});
/** State of the supervised agent. */
export type AgentState = z.infer<typeof agentStateSchema>;

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
  /** Version of an update that is ready to install; null when none. */
  updateReady: z.string().nullable(),
});
/** What the window and the tray are drawn from. */
export type AppState = z.infer<typeof appStateSchema>;
