import { FRESH_SETUP, type SetupState } from './setup-state.ts';

/** Where the draft lies in the window's storage. */
const KEY = 'isg-pro.set-up';

/** What is kept. The token is not: a secret does not lie in the window's storage. */
interface Draft {
  iconikUrl: string;
  appId: string;
  mode: 'existing' | 'new';
  gatewayId: string | null;
  newGateway: { clusterId: string | null; clusterName: string; gatewayName: string; storageIds: string[] };
  paths: Record<string, string>;
}

/** The two calls of `localStorage` that are used. */
export interface DraftStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/**
 * Keeps what was typed, so that a closed window loses nothing but the token: that one is never kept. Nothing is written
 * once config.ini is; then the draft is removed.
 */
export function saveDraft(storage: DraftStorage, state: SetupState): void {
  if (state.writtenMs !== null) {
    storage.removeItem(KEY);
    return;
  }
  const { account, mode, gatewayId, newGateway, mounts } = state;
  const paths = Object.fromEntries(Object.entries(mounts).map(([id, { path }]) => [id, path]));
  const draft = { iconikUrl: account.iconikUrl, appId: account.appId, mode, gatewayId, newGateway, paths };
  storage.setItem(KEY, JSON.stringify(draft));
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string';
const isTextOrNull = (value: unknown): value is string | null => value === null || isText(value);

function isNewGateway(value: unknown): value is Draft['newGateway'] {
  if (!isRecord(value)) return false;
  const { clusterId, clusterName, gatewayName, storageIds } = value;
  return (
    isTextOrNull(clusterId) &&
    isText(clusterName) &&
    isText(gatewayName) &&
    Array.isArray(storageIds) &&
    storageIds.every(isText)
  );
}

// by hand, since the window's content security policy forbids the code generation that zod would try
function isDraft(value: unknown): value is Draft {
  if (!isRecord(value)) return false;
  const { iconikUrl, appId, mode, gatewayId, newGateway, paths } = value;
  const isMode = mode === 'existing' || mode === 'new';
  const arePaths = isRecord(paths) && Object.values(paths).every(isText);
  return (
    isText(iconikUrl) && isText(appId) && isMode && isTextOrNull(gatewayId) && isNewGateway(newGateway) && arePaths
  );
}

function parseDraft(text: string): Draft | null {
  try {
    const value: unknown = JSON.parse(text);
    return isDraft(value) ? value : null;
  } catch {
    return null; // Ignored because a draft that is no JSON is worth nothing; the assistant starts fresh.
  }
}

/** The assistant as it was left, at its first step: account and mounts are tested anew. Null when there is no draft. */
export function restoreDraft(storage: DraftStorage): SetupState | null {
  const text = storage.getItem(KEY);
  const draft = text === null ? null : parseDraft(text);
  if (draft === null) return null;
  const { iconikUrl, appId, mode, gatewayId, newGateway, paths } = draft;
  const mounts = Object.fromEntries(Object.entries(paths).map(([id, path]) => [id, { path, test: null }]));
  return { ...FRESH_SETUP, account: { iconikUrl, appId, authToken: '' }, mode, gatewayId, newGateway, mounts };
}

/** Whether anything worth telling was restored. */
export const isResumed = (state: SetupState): boolean =>
  state.account.appId !== '' || state.gatewayId !== null || state.newGateway.gatewayName !== '';
