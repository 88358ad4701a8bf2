import type { BridgeAnswer, BridgeCallName, BridgeParams } from '../../../preload/contract/bridge.ts';
import { configChanges } from './config-plan.ts';
import { type DraftStorage, isResumed, restoreDraft, saveDraft } from './setup-draft.ts';
import { mayContinue } from './setup-missing.ts';
import {
  type AccountContents,
  areMountsFine,
  FRESH_SETUP,
  mountOf,
  nextSetup,
  type SetupEvent,
  type SetupState,
  type SetupWork,
  storagesToMount,
} from './setup-state.ts';

/** What the assistant needs of the world; a test gives its own. */
export interface SetupWorld {
  call<Name extends BridgeCallName>(name: Name, params: BridgeParams<Name>): Promise<BridgeAnswer<Name>>;
  storage: DraftStorage;
  nowMs(): number;
}

/** One run of the assistant: its state, and the work that its buttons do. Nothing here throws; failures are told in words. */
export interface SetupSession {
  get: () => SetupState;
  subscribe: (listener: () => void) => () => void;
  tell: (event: SetupEvent) => void;
  /** Whether it goes on from an earlier draft, so that the token has to be typed again. */
  readonly wasResumed: boolean;
  /** Fills in what config.ini says already, when nothing was typed yet. */
  prefill(): Promise<void>;
  /** Does what the button of the step shown says, when it may. */
  continue(): Promise<void>;
  testMount(storageId: string): Promise<void>;
  /** Tests every mount that has a path and did not pass yet. */
  testMounts(): Promise<void>;
  chooseFolder(storageId: string, storageName: string): Promise<void>;
}

const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : 'It failed without a reason.';
const isTransient = (thrown: unknown): boolean =>
  !(typeof thrown === 'object' && thrown !== null && 'retry' in thrown && thrown.retry === 'permanent');

const trimmed = ({ account }: SetupState) => ({
  iconikUrl: account.iconikUrl.trim(),
  appId: account.appId.trim(),
  authToken: account.authToken.trim(),
});

class Session implements SetupSession {
  readonly wasResumed: boolean;
  readonly #world: SetupWorld;
  readonly #listeners = new Set<() => void>();
  #state: SetupState;

  constructor(world: SetupWorld) {
    this.#world = world;
    const restored = restoreDraft(world.storage);
    this.#state = restored ?? FRESH_SETUP;
    this.wasResumed = restored !== null && isResumed(restored);
  }

  get = (): SetupState => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  tell = (event: SetupEvent): void => {
    this.#state = nextSetup(this.#state, event);
    saveDraft(this.#world.storage, this.#state);
    for (const listener of this.#listeners) listener();
  };

  async prefill(): Promise<void> {
    try {
      const { entries } = await this.#world.call('config.read', {});
      const said = (key: string) => entries.find((entry) => entry.key === key)?.value ?? null;
      const gatewayId = said('storage-gateway-id');
      this.tell({ type: 'prefilled', iconikUrl: said('iconik-url'), appId: said('app-id'), gatewayId });
    } catch {
      // ignored because the fields can be typed as well
    }
  }

  async continue(): Promise<void> {
    const { step, mode } = this.#state;
    if (!mayContinue(this.#state)) return;
    if (step === 'account') await this.#during('looking', () => this.#look());
    else if (step === 'gateway' && mode === 'existing') this.tell({ type: 'went', step: 'mounts' });
    else if (step === 'gateway') await this.#during('creating', () => this.#makeGateway());
    else if (step === 'mounts') await this.#during('telling-mounts', () => this.#tellMounts());
    else if (step === 'review') await this.#during('writing', () => this.#write());
  }

  async #during(work: SetupWork, run: () => Promise<void>): Promise<void> {
    this.tell({ type: 'work-started', work });
    try {
      await run();
    } catch (thrown) {
      this.tell({ type: 'work-failed', message: messageOf(thrown) });
    }
  }

  async #look(): Promise<void> {
    this.tell({ type: 'looked', contents: await this.#world.call('setup.look', trimmed(this.#state)) });
  }

  async #makeGateway(): Promise<void> {
    const account = trimmed(this.#state);
    const { clusterId, clusterName, gatewayName, storageIds } = this.#state.newGateway;
    const before = new Set(this.#state.contents?.gateways.map(({ id }) => id));
    const wanted = {
      clusterId,
      // the contract asks for a name also when the cluster exists; there it is not used
      clusterName: clusterName.trim() || gatewayName.trim(),
      gatewayName: gatewayName.trim(),
      storageIds: [...storageIds],
    };
    try {
      const { storageGatewayId } = await this.#world.call('setup.create-gateway', { ...account, ...wanted });
      const contents = await this.#world.call('setup.look', account).catch(() => this.#state.contents);
      this.#gatewayMade(storageGatewayId, contents, wanted);
    } catch (thrown) {
      // an answer that got lost may have made it all the same: look before anybody makes a second one
      if (!isTransient(thrown)) throw thrown;
      const contents = await this.#world.call('setup.look', account).catch(() => null);
      const made = contents?.gateways.find(({ id, name }) => name === wanted.gatewayName && !before.has(id));
      if (contents === null || made === undefined) throw thrown;
      this.#gatewayMade(made.id, contents, wanted);
    }
  }

  #gatewayMade(
    id: string,
    contents: AccountContents | null,
    wanted: { clusterId: string | null; gatewayName: string; storageIds: string[] },
  ): void {
    const base = contents ?? { clusters: [], gateways: [], storages: [] };
    const isListed = base.gateways.some((gateway) => gateway.id === id);
    const { gatewayName: name, clusterId, storageIds } = wanted;
    const own = { id, name, clusterId, storageIds, mounts: {} };
    const gateways = isListed ? base.gateways : [...base.gateways, own];
    this.tell({ type: 'gateway-made', gatewayId: id, contents: { ...base, gateways } });
  }

  async #tellMounts(): Promise<void> {
    await this.testMounts();
    const state = this.#state;
    // a folder that fails its test says so at its field; there is nothing to tell iconik yet
    if (!areMountsFine(state)) {
      this.tell({ type: 'work-ended' });
      return;
    }
    const mounts = Object.fromEntries(
      storagesToMount(state).map((storage) => [storage.id, mountOf(state, storage).path.trim()]),
    );
    const storageGatewayId = state.gatewayId ?? '';
    await this.#world.call('setup.set-mounts', { ...trimmed(state), storageGatewayId, mounts });
    this.tell({ type: 'mounts-told' });
  }

  async #write(): Promise<void> {
    const startedMs = this.#world.nowMs();
    // without a file main starts the agent anew by itself as soon as there is one
    const wasAbsent = await this.#world.call('app.state', {}).then(
      ({ config }) => config.status === 'absent',
      () => false,
    );
    const { tokenPlace } = this.#state;
    const changes = configChanges(this.#state);
    // without revisions: who has gone through all steps means what stands on the last one
    const { problems } = await this.#world.call('config.write', { changes, tokenPlace });
    if (problems.length > 0) {
      this.tell({ type: 'config-refused', problems });
      return;
    }
    this.tell({ type: 'config-written', atMs: startedMs });
    if (!wasAbsent) await this.#world.call('agent.restart', {});
  }

  async testMount(storageId: string): Promise<void> {
    const storage = storagesToMount(this.#state).find(({ id }) => id === storageId);
    if (storage === undefined) return;
    const { path } = mountOf(this.#state, storage);
    if (path.trim() === '') return;
    this.tell({ type: 'mount-test-started', storageId });
    try {
      const verdict = await this.#world.call('setup.test-mount', { mountPoint: path.trim(), storageId });
      this.tell({ type: 'mount-tested', storageId, path, ...verdict });
    } catch (thrown) {
      const words = { reason: `The folder could not be tested: ${messageOf(thrown)}`, remedy: 'Try again.' };
      this.tell({ type: 'mount-tested', storageId, path, ok: false, ...words });
    }
  }

  async testMounts(): Promise<void> {
    const untested = storagesToMount(this.#state).filter((storage) => {
      const { test } = mountOf(this.#state, storage);
      return test === null || test === 'testing' || !test.ok;
    });
    await Promise.all(untested.map(({ id }) => this.testMount(id)));
  }

  async chooseFolder(storageId: string, storageName: string): Promise<void> {
    try {
      const { path } = await this.#world.call('app.choose-folder', {
        title: `Folder of storage ${storageName}`.slice(0, 200),
      });
      if (path === null) return;
      this.tell({ type: 'mount-typed', storageId, path });
      await this.testMount(storageId);
    } catch (thrown) {
      this.tell({ type: 'work-failed', message: messageOf(thrown) });
    }
  }
}

/** Opens the assistant where it was left, else at its beginning. */
export function createSetupSession(world: SetupWorld): SetupSession {
  return new Session(world);
}
