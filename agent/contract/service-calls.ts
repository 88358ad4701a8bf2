import { z } from 'zod';
import { AGENT_CALLS } from './agent-calls.ts';
import { configChangesShape, configEntrySchema, configWrittenSchema } from './config-entry.ts';
import type { ConfigKey } from './config-keys.ts';

/**
 * Calls that only an agent that runs as a system service answers: what the desktop application otherwise does itself, because
 * agent and config.ini are its own. The window does not see them; main makes them in its place.
 */

const none = z.object({});
const done = z.object({});

/** The calls. */
export const SERVICE_CALLS = {
  /** The agent ends in order, with the exit code by which its supervisor starts it anew. Answered before it ends. */
  'service.restart': { params: none, answer: done },
  /** The service's config.ini; of secrets only whether they are set. */
  'service.config-read': {
    params: none,
    answer: z.object({
      path: z.string(),
      status: z.enum(['absent', 'ok', 'invalid']),
      problems: z.array(z.string()),
      warnings: z.array(z.string()),
      entries: z.array(configEntrySchema),
      /** Keys whose value is another one than the service started with, and that it does not follow by itself. */
      waiting: z.array(z.string()),
      lastGoodMs: z.number().nullable(),
    }),
  },
  /** As the bridge's `config.write`, but for what `serviceChangeProblems` refuses. */
  'service.config-write': { params: z.object(configChangesShape), answer: configWrittenSchema },
  /** Puts the last good copy in place of a config.ini that is not good. */
  'service.config-restore': { params: none, answer: done },
} as const;

/** All calls of the link. */
export const LINK_CALLS = { ...AGENT_CALLS, ...SERVICE_CALLS } as const;
/** Name of a call of the link. */
export type LinkCallName = keyof typeof LINK_CALLS;
/** Parameters of a call of the link. */
export type LinkParams<Name extends LinkCallName> = z.infer<(typeof LINK_CALLS)[Name]['params']>;
/** Answer of a call of the link. */
export type LinkAnswer<Name extends LinkCallName> = z.infer<(typeof LINK_CALLS)[Name]['answer']>;
/** One handler per call of a service. */
export type ServiceCallHandlers = {
  [Name in keyof typeof SERVICE_CALLS]: (params: LinkParams<Name>) => Promise<LinkAnswer<Name>>;
};

/** They name programs that the service would run, or files that it would read or write, with its own rights. */
const ADMINISTRATORS_KEYS: readonly string[] = [
  'ffmpeg-path',
  'ffprobe-path',
  'data-dir',
  'direct-transfer-certificate',
  'direct-transfer-key',
  'direct-transfer-ca',
] satisfies ConfigKey[];
/** They say where the token is sent. */
const WAYS_OF_TOKEN: readonly string[] = ['iconik-url', 'https-proxy'] satisfies ConfigKey[];

/**
 * Why changes of config.ini may not come over the service's socket, one sentence each. Who may talk with the service
 * administers the node, and must not by that get the service's account or its token: the first could run any program, the
 * second would be sent to wherever `iconik-url` points. Values that stay as they are (`now`) are no change. Pure.
 */
export function serviceChangeProblems(
  changes: Readonly<Record<string, string | null>>,
  now: ReadonlyMap<string, string>,
): string[] {
  const changed = Object.entries(changes).flatMap(([key, value]) =>
    (now.get(key) ?? '') === (value ?? '') ? [] : [key],
  );
  const isTokenTyped = (changes['auth-token'] ?? '') !== '';
  return changed.flatMap((key) => {
    if (ADMINISTRATORS_KEYS.includes(key))
      return [`${key} names files or programs of the system service: an administrator changes it in the file itself`];
    if (WAYS_OF_TOKEN.includes(key) && !isTokenTyped)
      return [`${key} says where the application token is sent: enter auth-token again together with it`];
    return [];
  });
}
