import { ipcMain } from 'electron';
import { z } from 'zod';
import { AGENT_CALLS, type AgentCallName, type ErrorDetail } from '../../agent/contract/index.ts';
import {
  BRIDGE_CALLS,
  BRIDGE_EVENTS,
  type BridgeAnswer,
  type BridgeCallName,
  type BridgeEvent,
  type BridgeEventName,
  CHANNELS,
  type MAIN_CALLS,
} from '../../preload/contract/bridge.ts';
import type { Log } from '../logging/main-log.ts';
import { AppError, errorDetailOf } from '../support/app-error.ts';
import { isPayloadWithin } from './payload-size.ts';

/**
 * The only file that touches ipcMain. A call passes when it comes from the main frame of our own window, is plain data of
 * bounded size, names a call of the contract, and carries the parameters that the contract says. What goes back is parsed
 * too, so that nothing leaves main that the contract does not name.
 */

/** Name of a call that main answers itself. */
export type MainCallName = keyof typeof MAIN_CALLS;
/** Parameters as a handler gets them. */
type MainParams<Name extends MainCallName> = z.output<(typeof MAIN_CALLS)[Name]['params']>;
/** One handler per call of main; a missing one does not compile. */
export type MainCallHandlers = {
  [Name in MainCallName]: (params: MainParams<Name>) => BridgeAnswer<Name> | Promise<BridgeAnswer<Name>>;
};

/** A frame of a page, as far as it matters here. */
export interface SenderFrame {
  readonly url: string;
  readonly processId: number;
  readonly routingId: number;
}
/** Where events go. */
export interface EventTarget {
  send(channel: string, name: string, payload: unknown): void;
}

/** What the doorway needs. */
export interface GuardedIpcOptions {
  handlers: MainCallHandlers;
  /** Hands a call to the agent; throws what `errorDetailOf` understands, `agent-down` when there is none. */
  relay: (name: AgentCallName, params: unknown) => Promise<unknown>;
  /** Main frame of our window; null while there is none. */
  trustedFrame: () => SenderFrame | null;
  /** Beginning of every address of our own pages, ending in '/'. */
  origin: string;
  log: Log;
}

/** Largest payload of a call: `app.export-text` with room to spare. */
const MAX_PAYLOAD_BYTES = 25_000_000;

const requestSchema = z.object({ name: z.string().max(100), params: z.unknown() });

type Result = { ok: true; value: unknown } | { ok: false; error: ErrorDetail };

/** Opens the doorway. Call once, before the first window. */
export function openGuardedIpc(options: GuardedIpcOptions): void {
  ipcMain.handle(CHANNELS.call, async ({ senderFrame }, payload: unknown): Promise<Result> => {
    try {
      assertTrusted(senderFrame, options);
      return { ok: true, value: await answer(payload, options) };
    } catch (thrown) {
      const error = errorDetailOf(thrown);
      if (error.code === 'refused') options.log.warn(error.message);
      if (error.code === 'unexpected') options.log.error('A call of the window failed', { error: thrown });
      return { ok: false, error };
    }
  });
}

/** Sends an event to the window. */
export function sendEvent<Name extends BridgeEventName>(
  target: EventTarget,
  name: Name,
  payload: BridgeEvent<Name>,
): void {
  if (Object.hasOwn(BRIDGE_EVENTS, name)) target.send(CHANNELS.event, name, payload);
}

function refusal(words: string): AppError {
  return new AppError('refused', `Refused a call: ${words}.`, 'permanent');
}

function assertTrusted(frame: SenderFrame | null, options: GuardedIpcOptions): void {
  const trusted = options.trustedFrame();
  const isOurs =
    frame !== null &&
    trusted !== null &&
    frame.processId === trusted.processId &&
    frame.routingId === trusted.routingId &&
    frame.url.startsWith(options.origin);
  if (!isOurs) throw refusal('it did not come from the window of this application');
}

async function answer(payload: unknown, options: GuardedIpcOptions): Promise<unknown> {
  if (!isPayloadWithin(payload, MAX_PAYLOAD_BYTES)) throw refusal('it is too large or no plain data');
  const request = requestSchema.safeParse(payload);
  if (!request.success) throw refusal('it has not the form of a call');
  const { name, params } = request.data;
  if (!isBridgeCall(name)) throw refusal('there is no call with this name');
  const call = BRIDGE_CALLS[name];
  const parsed = call.params.safeParse(params);
  // the values stay out of the words: one may be a token
  if (!parsed.success) throw refusal(`${name} has wrong parameters (${issuePlaces(parsed.error)})`);
  const value = isAgentCall(name)
    ? await options.relay(name, parsed.data)
    : await options.handlers[name](parsed.data as never);
  return call.answer.parse(value);
}

function isBridgeCall(name: string): name is BridgeCallName {
  return Object.hasOwn(BRIDGE_CALLS, name);
}

function isAgentCall(name: BridgeCallName): name is AgentCallName {
  return Object.hasOwn(AGENT_CALLS, name);
}

function issuePlaces(error: z.ZodError): string {
  return error.issues.map(({ path, code }) => `${path.map(String).join('.') || 'all'}: ${code}`).join(', ');
}
