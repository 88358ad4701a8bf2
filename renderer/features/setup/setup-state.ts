import type { AgentAnswer } from '../../../agent/contract/index.ts';
import { isPath } from './setup-checks.ts';

/** The steps in order; each opens when the one before was tested. */
export const SETUP_STEPS = ['account', 'gateway', 'mounts', 'review', 'start'] as const;
/** A step. */
export type SetupStep = (typeof SETUP_STEPS)[number];

/** What the account has, as `setup.look` answered. */
export type AccountContents = AgentAnswer<'setup.look'>;

/** How to reach iconik, as typed. */
export interface Account {
  iconikUrl: string;
  appId: string;
  /** Kept in memory only, and only until the window's page ends. */
  authToken: string;
}

/** A gateway to be made. */
export interface NewGateway {
  /** Null = make a new cluster too. */
  clusterId: string | null;
  clusterName: string;
  gatewayName: string;
  storageIds: readonly string[];
}

/** Where a storage is on this machine. `test` is of exactly this path; null = not tested since it was changed. */
export interface Mount {
  path: string;
  test: 'testing' | { ok: boolean; reason: string; remedy: string } | null;
}

/** What is under way; fields and buttons of the step wait for it. */
export type SetupWork = 'looking' | 'creating' | 'telling-mounts' | 'writing';

/** Everything the assistant knows. */
export interface SetupState {
  step: SetupStep;
  account: Account;
  /** Null until iconik accepted exactly this account. */
  contents: AccountContents | null;
  mode: 'existing' | 'new';
  /** The chosen gateway; kept across a look when the account still has it. */
  gatewayId: string | null;
  newGateway: NewGateway;
  mounts: Readonly<Record<string, Mount>>;
  /** True once iconik knows exactly these mounts. */
  areMountsTold: boolean;
  work: SetupWork | null;
  /** Why the last work of this step failed, in words. */
  error: string | null;
  /** Where the token goes. */
  tokenPlace: 'file' | 'key-store';
  /** What main refused in config.ini. */
  problems: readonly string[];
  /** When the writing of config.ini began, milliseconds since the epoch; null = not written. */
  writtenMs: number | null;
}

/** What happens to the assistant. */
export type SetupEvent =
  /** What config.ini says already; only taken while nothing was typed. */
  | { type: 'prefilled'; iconikUrl: string | null; appId: string | null; gatewayId: string | null }
  | { type: 'account-typed'; account: Partial<Account> }
  | { type: 'work-started'; work: SetupWork }
  | { type: 'work-failed'; message: string }
  /** It came to nothing for a reason that is said elsewhere. */
  | { type: 'work-ended' }
  | { type: 'looked'; contents: AccountContents }
  | { type: 'mode-chosen'; mode: 'existing' | 'new' }
  | { type: 'gateway-chosen'; gatewayId: string }
  | { type: 'new-gateway-typed'; gateway: Partial<NewGateway> }
  | { type: 'gateway-made'; contents: AccountContents; gatewayId: string }
  | { type: 'mount-typed'; storageId: string; path: string }
  | { type: 'mount-test-started'; storageId: string }
  | { type: 'mount-tested'; storageId: string; path: string; ok: boolean; reason: string; remedy: string }
  | { type: 'mounts-told' }
  | { type: 'token-place-chosen'; place: 'file' | 'key-store' }
  | { type: 'went'; step: SetupStep }
  | { type: 'config-refused'; problems: readonly string[] }
  | { type: 'config-written'; atMs: number }
  /** The node cannot work with what was written: from the first step again, with what was typed but the token. */
  | { type: 'started-over' };

/** iconik's usual address (reference A.3). */
const USUAL_ICONIK_URL = 'https://app.iconik.io/';

/** Before anything was typed. */
export const FRESH_SETUP: SetupState = {
  step: 'account',
  account: { iconikUrl: USUAL_ICONIK_URL, appId: '', authToken: '' },
  contents: null,
  mode: 'existing',
  gatewayId: null,
  newGateway: { clusterId: null, clusterName: '', gatewayName: '', storageIds: [] },
  mounts: {},
  areMountsTold: false,
  work: null,
  error: null,
  tokenPlace: 'file',
  problems: [],
  writtenMs: null,
};

/** The chosen gateway, when the account has it. */
export function chosenGateway(state: SetupState): AccountContents['gateways'][number] | null {
  return state.contents?.gateways.find(({ id }) => id === state.gatewayId) ?? null;
}

/** A storage by its id, with the mount point that holds for the chosen gateway: its own, else the storage's. */
function storageOf(state: SetupState, id: string): AccountContents['storages'][number] {
  const known = state.contents?.storages.find((storage) => storage.id === id) ?? { id, name: id, mountPoint: '' };
  return { ...known, mountPoint: chosenGateway(state)?.mounts[id] || known.mountPoint };
}

/**
 * The storages of the chosen gateway, in its order, each with the mount point that iconik knows for it; one that the
 * account does not list goes by its id.
 */
export function storagesToMount(state: SetupState): AccountContents['storages'] {
  return (chosenGateway(state)?.storageIds ?? []).map((id) => storageOf(state, id));
}

/** The path of a storage's mount on this machine: typed, else what iconik says. */
export function mountOf(state: SetupState, storage: AccountContents['storages'][number]): Mount {
  return state.mounts[storage.id] ?? { path: storage.mountPoint, test: null };
}

/** Whether every storage of the chosen gateway has a folder that passed its test. */
export const areMountsFine = (state: SetupState): boolean =>
  storagesToMount(state).every((storage) => {
    const { path, test } = mountOf(state, storage);
    return isPath(path) && test !== null && test !== 'testing' && test.ok;
  });

/** Whether the step itself is done, so that the next may open. */
export function isDone(state: SetupState, step: SetupStep): boolean {
  switch (step) {
    case 'account':
      return state.contents !== null;
    case 'gateway':
      return state.contents !== null && state.mode === 'existing' && chosenGateway(state) !== null;
    case 'mounts':
      return isDone(state, 'gateway') && areMountsFine(state) && state.areMountsTold;
    case 'review':
      return state.writtenMs !== null;
    case 'start':
      return false;
    default:
      return step satisfies never;
  }
}

/** Whether a step may be shown: all before it are done. After the file is written only the last step is left. */
export function mayOpen(state: SetupState, step: SetupStep): boolean {
  if (state.writtenMs !== null) return step === 'start';
  return SETUP_STEPS.slice(0, SETUP_STEPS.indexOf(step)).every((before) => isDone(state, before));
}

const nextStep = (step: SetupStep): SetupStep => SETUP_STEPS[SETUP_STEPS.indexOf(step) + 1] ?? step;

function withContents(state: SetupState, contents: AccountContents): SetupState {
  const isKept = contents.gateways.some(({ id }) => id === state.gatewayId);
  const only = contents.gateways.length === 1 ? (contents.gateways[0]?.id ?? null) : null;
  const known = new Set(contents.storages.map(({ id }) => id));
  const isClusterKept = contents.clusters.some(({ id }) => id === state.newGateway.clusterId);
  return {
    ...state,
    contents,
    gatewayId: isKept ? state.gatewayId : only,
    mode: contents.gateways.length === 0 ? 'new' : state.mode,
    newGateway: {
      ...state.newGateway,
      clusterId: isClusterKept ? state.newGateway.clusterId : (contents.clusters[0]?.id ?? null),
      storageIds: state.newGateway.storageIds.filter((id) => known.has(id)),
    },
  };
}

function withMount(state: SetupState, storageId: string, mount: Mount): SetupState {
  return { ...state, mounts: { ...state.mounts, [storageId]: mount } };
}

// A path that nobody typed belongs to the gateway it came from; the next one may have its storages elsewhere.
function gatewayChosen(state: SetupState, gatewayId: string): SetupState {
  const typed = Object.entries(state.mounts).filter(([id, { path }]) => path !== storageOf(state, id).mountPoint);
  return { ...state, gatewayId, mounts: Object.fromEntries(typed), areMountsTold: false, error: null };
}

function pathOf(state: SetupState, storageId: string): string {
  return mountOf(state, storageOf(state, storageId)).path;
}

function mountTested(state: SetupState, event: Extract<SetupEvent, { type: 'mount-tested' }>): SetupState {
  // an answer about a path that was changed meanwhile says nothing about the new one
  if (pathOf(state, event.storageId) !== event.path) return state;
  const { ok, reason, remedy } = event;
  return withMount(state, event.storageId, { path: event.path, test: { ok, reason, remedy } });
}

function prefilled(state: SetupState, event: Extract<SetupEvent, { type: 'prefilled' }>): SetupState {
  const { account, contents, gatewayId } = state;
  const isTouched = contents !== null || gatewayId !== null || account.appId !== '' || account.authToken !== '';
  if (isTouched || state.writtenMs !== null) return state;
  const known = { iconikUrl: event.iconikUrl ?? account.iconikUrl, appId: event.appId ?? '' };
  return { ...state, account: { ...account, ...known }, gatewayId: event.gatewayId };
}

// from here on it is one of the account's gateways: going back and on again must not make a second one
function gatewayMade(state: SetupState, event: Extract<SetupEvent, { type: 'gateway-made' }>): SetupState {
  return {
    ...state,
    contents: event.contents,
    gatewayId: event.gatewayId,
    mode: 'existing',
    areMountsTold: false,
    work: null,
    error: null,
    step: nextStep('gateway'),
  };
}

// the token has done its duty; nothing in the window needs it any more
function configWritten(state: SetupState, atMs: number): SetupState {
  const account = { ...state.account, authToken: '' };
  return { ...state, account, work: null, error: null, problems: [], writtenMs: atMs, step: 'start' };
}

/** The state after an event. Pure. A change of a step closes the steps that rest on it. */
export function nextSetup(state: SetupState, event: SetupEvent): SetupState {
  switch (event.type) {
    case 'prefilled':
      return prefilled(state, event);
    case 'account-typed':
      return {
        ...state,
        account: { ...state.account, ...event.account },
        contents: null,
        areMountsTold: false,
        error: null,
      };
    case 'token-place-chosen':
      return { ...state, tokenPlace: event.place, problems: [] };
    case 'work-started':
      return { ...state, work: event.work, error: null, problems: [] };
    case 'work-failed':
      return { ...state, work: null, error: event.message };
    case 'work-ended':
      return { ...state, work: null };
    case 'looked':
      return { ...withContents(state, event.contents), work: null, error: null, step: nextStep('account') };
    case 'mode-chosen':
      return { ...state, mode: event.mode, error: null };
    case 'gateway-chosen':
      return gatewayChosen(state, event.gatewayId);
    case 'new-gateway-typed':
      return { ...state, newGateway: { ...state.newGateway, ...event.gateway }, error: null };
    case 'gateway-made':
      return gatewayMade(state, event);
    case 'mount-typed':
      return {
        ...withMount(state, event.storageId, { path: event.path, test: null }),
        areMountsTold: false,
        error: null,
      };
    case 'mount-test-started':
      return withMount(state, event.storageId, { path: pathOf(state, event.storageId), test: 'testing' });
    case 'mount-tested':
      return mountTested(state, event);
    case 'mounts-told':
      return { ...state, areMountsTold: true, work: null, error: null, step: nextStep('mounts') };
    case 'went':
      return mayOpen(state, event.step) ? { ...state, step: event.step, error: null, problems: [] } : state;
    case 'config-refused':
      return { ...state, work: null, problems: event.problems };
    case 'config-written':
      return configWritten(state, event.atMs);
    case 'started-over':
      return {
        ...state,
        step: 'account',
        contents: null,
        areMountsTold: false,
        work: null,
        error: null,
        writtenMs: null,
      };
    default:
      return event satisfies never;
  }
}
