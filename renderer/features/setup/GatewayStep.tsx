import { Checkbox, NativeSelect, Radio, TextInput } from '@mantine/core';
import { useState } from 'react';
import { EmptyState } from '../../ui/EmptyState.tsx';
import { formatList, plural } from '../../ui/format.ts';
import { StepForm } from './StepForm.tsx';
import type { AccountContents, SetupState } from './setup-state.ts';
import { useSetup } from './use-setup.ts';

/** More than this many gateways get a field to find one. */
const MANY = 8;

function aboutGateway(gateway: AccountContents['gateways'][number], contents: AccountContents): string {
  const cluster = contents.clusters.find(({ id }) => id === gateway.clusterId)?.name;
  const names = gateway.storageIds.map((id) => contents.storages.find((storage) => storage.id === id)?.name ?? id);
  const where = cluster === undefined ? 'No cluster' : `Cluster ${cluster}`;
  const what =
    names.length === 0 ? 'no storages' : names.length <= 3 ? formatList(names) : plural(names.length, 'storage');
  return `${where} · ${what}`;
}

function ExistingGateways({ state }: { state: SetupState }) {
  const { setup } = useSetup();
  const [search, setSearch] = useState('');
  const { contents } = state;
  if (contents === null) return null;
  if (contents.gateways.length === 0) {
    return <EmptyState title="This account has no storage gateway yet">Make a new one.</EmptyState>;
  }
  const wanted = search.trim().toLowerCase();
  const shown = contents.gateways.filter(
    ({ id, name }) => id === state.gatewayId || name.toLowerCase().includes(wanted) || id.includes(wanted),
  );
  return (
    <>
      {contents.gateways.length > MANY ? (
        <TextInput
          aria-label="Find a storage gateway"
          placeholder={`Find among ${contents.gateways.length} storage gateways`}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      ) : null}
      <Radio.Group
        aria-label="Storage gateway"
        value={state.gatewayId ?? ''}
        onChange={(gatewayId) => setup.tell({ type: 'gateway-chosen', gatewayId })}
      >
        <div className="isg-choices" data-testid="gateways">
          {shown.map((gateway) => (
            <Radio
              key={gateway.id}
              value={gateway.id}
              label={gateway.name}
              description={aboutGateway(gateway, contents)}
              className="isg-choice"
            />
          ))}
          {shown.length === 0 ? <p className="isg-dim">No storage gateway is called so.</p> : null}
        </div>
      </Radio.Group>
      <p className="isg-small isg-dim">
        One storage gateway belongs to one machine. If another machine runs with the one you choose, this one will not
        work and will say so.
      </p>
    </>
  );
}

function NewGatewayFields({ state }: { state: SetupState }) {
  const { setup } = useSetup();
  const { contents, newGateway } = state;
  if (contents === null) return null;
  const type = (gateway: Partial<SetupState['newGateway']>) => setup.tell({ type: 'new-gateway-typed', gateway });
  return (
    <>
      <TextInput
        label="Name of the storage gateway"
        description="For example the name of this machine."
        maxLength={200}
        value={newGateway.gatewayName}
        onChange={(event) => type({ gatewayName: event.currentTarget.value })}
      />
      <NativeSelect
        label="Cluster"
        description="Nodes of one cluster share their work and take over for each other."
        value={newGateway.clusterId ?? ''}
        data={[
          ...contents.clusters.map(({ id, name }) => ({ value: id, label: name })),
          { value: '', label: 'A new cluster' },
        ]}
        onChange={(event) => type({ clusterId: event.currentTarget.value || null })}
      />
      {newGateway.clusterId === null ? (
        <TextInput
          label="Name of the new cluster"
          maxLength={200}
          value={newGateway.clusterName}
          onChange={(event) => type({ clusterName: event.currentTarget.value })}
        />
      ) : null}
      <Checkbox.Group
        label="Storages"
        description="Which storages of the account this node serves."
        value={[...newGateway.storageIds]}
        onChange={(storageIds) => type({ storageIds })}
      >
        <div className="isg-choices" data-testid="storages">
          {contents.storages.map((storage) => (
            <Checkbox
              key={storage.id}
              value={storage.id}
              label={storage.name}
              description={storage.mountPoint === '' ? 'No mount point yet' : storage.mountPoint}
              className="isg-choice"
            />
          ))}
        </div>
      </Checkbox.Group>
      {contents.storages.length > 0 ? null : (
        <EmptyState title="This account has no storage for gateways">
          Make one in iconik under Admin, Storages, then go back and test again.
        </EmptyState>
      )}
    </>
  );
}

/** Step 2: which storage gateway this node is; one of the account's, or a new one. */
export function GatewayStep() {
  const { state, setup } = useSetup();
  return (
    <StepForm
      state={state}
      setup={setup}
      title="Choose the storage gateway"
      about="A storage gateway is what iconik calls this node. It says which storages the node serves and which roles it has."
      continueLabel={state.mode === 'new' ? 'Create and continue' : 'Continue'}
      remedy="Check the permissions of the token in iconik, then try again. Nothing is made twice."
    >
      <Radio.Group
        aria-label="Which storage gateway"
        value={state.mode}
        onChange={(mode) => setup.tell({ type: 'mode-chosen', mode: mode === 'new' ? 'new' : 'existing' })}
      >
        <div className="isg-row isg-setup-modes">
          <Radio value="existing" label="One of the account" disabled={state.contents?.gateways.length === 0} />
          <Radio value="new" label="A new one, with all four roles" />
        </div>
      </Radio.Group>
      {state.mode === 'existing' ? <ExistingGateways state={state} /> : <NewGatewayFields state={state} />}
    </StepForm>
  );
}
