import { z } from 'zod';
import { logLineSchema } from './agent-calls.ts';
import { errorDetailSchema } from './error-detail.ts';
import { nodeSnapshotSchema } from './snapshot.ts';

/**
 * Messages between the agent and its parent (Electron main), the same over a utility process's port and over Node's IPC
 * channel. A parent that speaks another protocol number ends the agent.
 */

/** Grows with every change that an older side would misunderstand. */
export const LINK_PROTOCOL = 1;

/** From the agent. */
export const fromAgentSchema = z.discriminatedUnion('type', [
  /** First message: the link works. This is what "ready" means; iconik and database may still be away. */
  z.object({ type: z.literal('hello'), protocol: z.number(), version: z.string(), pid: z.number() }),
  /** Sent every 500 ms from the main loop; `loop` counts its turns. */
  z.object({ type: z.literal('beat'), loop: z.number() }),
  z.object({ type: z.literal('snapshot'), snapshot: nodeSnapshotSchema }),
  /** New log lines, in order, batched. */
  z.object({ type: z.literal('log'), lines: z.array(logLineSchema) }),
  z.object({ type: z.literal('answer'), id: z.number(), ok: z.literal(true), value: z.unknown() }),
  z.object({ type: z.literal('refusal'), id: z.number(), ok: z.literal(false), error: errorDetailSchema }),
  /** Last message before an end on its own accord: why, in words, with the exit code that follows. */
  z.object({ type: z.literal('goodbye'), code: z.number(), reason: z.string() }),
]);
/** From the agent. */
export type FromAgent = z.infer<typeof fromAgentSchema>;

/** To the agent. */
export const toAgentSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('call'), id: z.number(), name: z.string(), params: z.unknown() }),
  /** Sent every second; an agent that hears none for 10 s while the channel stands says so in its log. */
  z.object({ type: z.literal('beat') }),
  z.object({ type: z.literal('stop') }),
  /** The application token, to an agent that was started with `--token-by-parent`: right after its hello, null when lost. */
  z.object({ type: z.literal('token'), token: z.string().nullable() }),
]);
/** To the agent. */
export type ToAgent = z.infer<typeof toAgentSchema>;

/**
 * Beats of the agent's beat thread: lines of text on the local socket named by `--beat-socket`, one every 500 ms, each the
 * main loop's counter. A thread that beats while the counter stands means a hung loop; silence means a frozen process.
 */
export const BEAT_INTERVAL_MS = 500;
