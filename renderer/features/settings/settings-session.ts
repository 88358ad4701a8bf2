import { useSyncExternalStore } from 'react';
import { type DraftEvent, EMPTY_DRAFT, nextDraft, type SettingsDraft } from './settings-draft.ts';

/** What outlives the screen while the window lives, so that a look at another screen loses nothing that was typed. */
export interface SettingsSession {
  draft: SettingsDraft;
}

let session: SettingsSession = { draft: EMPTY_DRAFT };
const listeners = new Set<() => void>();

function set(next: SettingsSession): void {
  session = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Applies an event to the draft. */
export function tellDraft(event: DraftEvent): void {
  set({ draft: nextDraft(session.draft, event) });
}

/** The session, kept current. */
export function useSettingsSession(): SettingsSession {
  return useSyncExternalStore(subscribe, () => session);
}
