import type { BridgeAnswer, BridgeCallName, BridgeParams } from '../../preload/contract/bridge.ts';
import { getBridge } from './bridge.ts';

/** A refused call: `code` for decisions, `message` for people, `retry` says whether trying again can help. */
export class BridgeError extends Error {
  readonly code: string;
  readonly retry: 'transient' | 'permanent';

  constructor(error: { code: string; message: string; retry: 'transient' | 'permanent' }) {
    super(error.message);
    this.name = 'BridgeError';
    this.code = error.code;
    this.retry = error.retry;
  }
}

/** Makes a `BridgeError` of whatever was thrown, so that every screen can show its message. */
export function asBridgeError(thrown: unknown): BridgeError {
  if (thrown instanceof BridgeError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new BridgeError({ code: 'bridge-failed', message, retry: 'transient' });
}

/** Calls main or the agent. Resolves with the answer; throws `BridgeError` when refused or when the bridge fails. */
export async function callBridge<Name extends BridgeCallName>(
  name: Name,
  params: BridgeParams<Name>,
): Promise<BridgeAnswer<Name>> {
  let result: Awaited<ReturnType<typeof bridgeCall<Name>>>;
  try {
    result = await bridgeCall(name, params);
  } catch (thrown) {
    throw asBridgeError(thrown);
  }
  if (result.ok) return result.value;
  throw new BridgeError(result.error);
}

const bridgeCall = <Name extends BridgeCallName>(name: Name, params: BridgeParams<Name>) =>
  getBridge().call(name, params);
