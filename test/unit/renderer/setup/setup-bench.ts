import type { BridgeCallName } from '../../../../preload/contract/bridge.ts';
import { createSetupSession } from '../../../../renderer/features/setup/setup-session.ts';
import { mayOpen, SETUP_STEPS } from '../../../../renderer/features/setup/setup-state.ts';

/** What iconik holds in these tests: a cluster, two gateways, two storages. */
export const CONTENTS = {
  clusters: [{ id: 'cl-1', name: 'Studio' }],
  gateways: [
    { id: 'gw-1', name: 'node-a', clusterId: 'cl-1', storageIds: ['st-1', 'st-2'], mounts: {} },
    { id: 'gw-2', name: 'node-b', clusterId: 'cl-1', storageIds: [], mounts: {} },
  ],
  storages: [
    { id: 'st-1', name: 'NAS', mountPoint: '/mnt/nas' },
    { id: 'st-2', name: 'SAN', mountPoint: '' },
  ],
};

/** A refusal of a call, as the bridge throws it. */
export class Refusal extends Error {
  readonly retry: 'transient' | 'permanent';

  constructor(message: string, retry: 'transient' | 'permanent') {
    super(message);
    this.retry = retry;
  }
}

/** A storage of the window that can be looked into. */
export function memoryStorage() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

/** An assistant over scripted answers; each call is noted. A function is called with the parameters, and may throw. */
export function open(answers: Partial<Record<BridgeCallName, unknown>> = {}, storage = memoryStorage()) {
  const calls: { name: BridgeCallName; params: unknown }[] = [];
  const table: Partial<Record<BridgeCallName, unknown>> = {
    'setup.look': CONTENTS,
    'setup.test-mount': { ok: true, reason: '', remedy: '' },
    'setup.set-mounts': {},
    'config.write': { problems: [] },
    'agent.restart': {},
    'app.state': { config: { status: 'ok' } },
    ...answers,
  };
  const call = async (name: BridgeCallName, params: unknown) => {
    calls.push({ name, params });
    const answer = table[name];
    if (answer === undefined) throw new Error(`${name} is not scripted`);
    return typeof answer === 'function' ? answer(params) : answer;
  };
  const setup = createSetupSession({ call: call as never, storage, nowMs: () => 1000 });
  return { setup, calls, storage, table, made: () => calls.map(({ name }) => name) };
}

/** An opened assistant. */
export type Opened = ReturnType<typeof open>;

/** Goes through the first step. */
export async function connect({ setup }: Opened) {
  setup.tell({
    type: 'account-typed',
    account: { iconikUrl: ' https://iconik.test/ ', appId: ' app ', authToken: ' tok ' },
  });
  await setup.continue();
}
/** Goes through the first two steps. */
export async function choose(opened: Opened, gatewayId = 'gw-1') {
  await connect(opened);
  opened.setup.tell({ type: 'gateway-chosen', gatewayId });
  await opened.setup.continue();
}
/** Goes through the first three steps. */
export async function mount(opened: Opened) {
  await choose(opened);
  opened.setup.tell({ type: 'mount-typed', storageId: 'st-2', path: '/mnt/san' });
  await opened.setup.continue();
}
/** Steps that may be opened now. */
export const openable = ({ setup }: Opened) => SETUP_STEPS.filter((step) => mayOpen(setup.get(), step));
