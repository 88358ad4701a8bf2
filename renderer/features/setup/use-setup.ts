import { useSyncExternalStore } from 'react';
import { callBridge } from '../../bridge/call.ts';
import { createSetupSession, type SetupSession } from './setup-session.ts';
import type { SetupState } from './setup-state.ts';

let session: SetupSession | null = null;

/** The one run of the assistant in this window; it outlives its views, so that moving it elsewhere loses nothing. */
export function theSetup(): SetupSession {
  if (session === null) {
    session = createSetupSession({ call: callBridge, storage: window.localStorage, nowMs: Date.now });
    void session.prefill();
  }
  return session;
}

/** Ends the run; the next opening starts anew (or from its draft). */
export function endSetup(): void {
  session = null;
}

/** State of the assistant, kept current, and the session that changes it. */
export function useSetup(): { state: SetupState; setup: SetupSession } {
  const setup = theSetup();
  const state = useSyncExternalStore(setup.subscribe, setup.get);
  return { state, setup };
}
