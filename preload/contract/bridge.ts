import { z } from 'zod';
import {
  AGENT_CALLS,
  configChangesShape,
  configEntrySchema,
  configWrittenSchema,
  logLineSchema,
} from '../../agent/contract/index.ts';
import { appStateSchema } from './app-state.ts';

export type { ConfigConflict, ConfigEntry } from '../../agent/contract/index.ts';

/**
 * The bridge between window and main: every call and every event, one table. The preload script, main's handlers and the
 * test doubles derive from it. `window.isg.call(name, params)` and `window.isg.on(event, listener)` are all the window sees.
 */

const none = z.object({});
const done = z.object({});

/** Where the application token is kept, and whether the system's key store can be used. */
const tokenPlaceSchema = z.object({
  place: z.enum(['file', 'key-store', 'none']),
  canUseKeyStore: z.boolean(),
  /** Why the key store cannot be used, or what is wrong with what it holds; empty otherwise. */
  why: z.string(),
});
/** Where the application token is kept. */
export type TokenPlace = z.infer<typeof tokenPlaceSchema>;

/** Calls that main answers itself. */
export const MAIN_CALLS = {
  'app.state': { params: none, answer: appStateSchema },
  'app.open-log-folder': { params: none, answer: done },
  'app.copy-text': { params: z.object({ text: z.string().max(1_000_000) }), answer: done },
  /** Saves text where the user says; `saved` is false when the user cancels. */
  'app.export-text': {
    params: z.object({ suggestedName: z.string().max(200), text: z.string().max(20_000_000) }),
    answer: z.object({ saved: z.boolean() }),
  },
  /** Asks for a folder; null when the user cancels. */
  'app.choose-folder': {
    params: z.object({ title: z.string().max(200) }),
    answer: z.object({ path: z.string().nullable() }),
  },
  /** Runs a full check, or joins the one that runs; answers when it has ended. Its course and outcome stand in the state. */
  'app.run-check': { params: none, answer: done },
  /** Asks where to, and makes a support bundle there; `path` is null when the user cancels, also half-way. */
  'app.save-support-bundle': { params: none, answer: z.object({ path: z.string().nullable() }) },
  'app.cancel-support-bundle': { params: none, answer: done },
  'agent.restart': { params: none, answer: done },
  /** Looks for a new version now; what it found stands in the state. */
  'app.check-for-update': { params: none, answer: done },
  /** Installs the version that is ready: waits for no job and no other node's order, but for jobs to end for a while. */
  'app.install-update': { params: none, answer: done },
  /** Leaves the version that is ready alone for a day. */
  'app.postpone-update': { params: none, answer: done },
  /** The keys that may be set, with their values, and what else there is to say of the file. */
  'config.read': {
    params: none,
    answer: z.object({
      path: z.string(),
      entries: z.array(configEntrySchema),
      /** Lines that are understood but doubtful or without effect. */
      warnings: z.array(z.string()),
      /** Keys whose value is another one than the running agent started with, and that it does not follow by itself. */
      waiting: z.array(z.string()),
      /** When the last good copy was written, milliseconds since the epoch; null when there is none to go back to. */
      lastGoodMs: z.number().nullable(),
      token: tokenPlaceSchema,
    }),
  },
  /**
   * Changes keys (null removes one); everything else in the file keeps every byte. Refused with all problems when wrong, and
   * with the conflicts when a key has no longer the revision in `seen`. `tokenPlace` says where the token goes.
   */
  'config.write': {
    params: z.object({
      ...configChangesShape,
      tokenPlace: z.enum(['file', 'key-store']).optional(),
    }),
    answer: configWrittenSchema,
  },
  /** Puts the last good copy in place of a config.ini that is not good; the bad one is kept beside it. */
  'config.restore': { params: none, answer: done },
  /** Log lines from the text files, for times when the agent is down. Newest page first, oldest first within a page. */
  'logs.read-files': {
    params: z.object({
      minLevel: z.enum(['debug', 'info', 'warn', 'error']),
      text: z.string().max(200),
      /** Whether `text` is a regular expression; one that tries too long is refused (`pattern-too-slow`). */
      isPattern: z.boolean().default(false),
      /** In message or fields, exactly; null = any. */
      storageId: z.string().nullable().default(null),
      fromMs: z.number().nullable().default(null),
      toMs: z.number().nullable().default(null),
      cursor: z.string().nullable(),
      limit: z.number().int().min(1).max(500),
    }),
    answer: z.object({ lines: z.array(logLineSchema), nextCursor: z.string().nullable() }),
  },
} as const;

/** All calls of the bridge. */
export const BRIDGE_CALLS = { ...MAIN_CALLS, ...AGENT_CALLS } as const;

/** Events that main sends. */
export const BRIDGE_EVENTS = {
  /** The whole state, at once at subscription time and then at every change (at most 4 a second). */
  'app-state': appStateSchema,
  /** New log lines of this node, in order. */
  'log-lines': z.array(logLineSchema),
  /** The menu or a notification asks for a screen, e.g. `logs`. */
  navigate: z.object({ screen: z.string() }),
} as const;

/** Name of a call. */
export type BridgeCallName = keyof typeof BRIDGE_CALLS;
/** Parameters of a call. */
export type BridgeParams<Name extends BridgeCallName> = z.input<(typeof BRIDGE_CALLS)[Name]['params']>;
/** Answer of a call. */
export type BridgeAnswer<Name extends BridgeCallName> = z.output<(typeof BRIDGE_CALLS)[Name]['answer']>;
/** Name of an event. */
export type BridgeEventName = keyof typeof BRIDGE_EVENTS;
/** What an event carries. */
export type BridgeEvent<Name extends BridgeEventName> = z.output<(typeof BRIDGE_EVENTS)[Name]>;

/** What a call resolves with across the process border: errors keep their code. */
export type BridgeResult<Name extends BridgeCallName> =
  | { ok: true; value: BridgeAnswer<Name> }
  | { ok: false; error: { code: string; message: string; retry: 'transient' | 'permanent' } };

/** `window.isg`. */
export interface IsgBridge {
  call<Name extends BridgeCallName>(name: Name, params: BridgeParams<Name>): Promise<BridgeResult<Name>>;
  /** Calls back at each event until the returned function is called. */
  on<Name extends BridgeEventName>(event: Name, listener: (payload: BridgeEvent<Name>) => void): () => void;
}

/** The two IPC channels; nothing else passes. */
export const CHANNELS = { call: 'isg:call', event: 'isg:event' } as const;
