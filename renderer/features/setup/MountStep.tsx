import { Button, TextInput } from '@mantine/core';
import { IconFolder } from '@tabler/icons-react';
import { useEffect } from 'react';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import { StatusMark } from '../../ui/StatusMark.tsx';
import { StepForm } from './StepForm.tsx';
import { isPath } from './setup-checks.ts';
import { type AccountContents, type Mount, mountOf, storagesToMount } from './setup-state.ts';
import { useSetup } from './use-setup.ts';

function Verdict({ mount }: { mount: Mount }) {
  const { path, test } = mount;
  if (test === 'testing') return <StatusMark status="unknown" label="Being tested" />;
  if (test?.ok) return <StatusMark status="ok" label={test.reason || 'Can be read and written'} />;
  if (test !== null) return <ErrorNotice cause={test.reason} remedy={test.remedy} />;
  if (path.trim() === '') return <StatusMark status="unknown" label="No folder chosen yet" />;
  if (!isPath(path))
    return (
      <ErrorNotice
        cause="This is no full path."
        remedy="Start with / on macOS and Linux, with a drive or \\server on Windows."
      />
    );
  return <StatusMark status="unknown" label="Not tested yet" />;
}

function MountField({ storage }: { storage: AccountContents['storages'][number] }) {
  const { state, setup } = useSetup();
  const mount = mountOf(state, storage);
  const isBusy = state.work !== null;
  return (
    <li className="isg-mount" data-testid={`mount-${storage.id}`}>
      <div className="isg-row isg-mount-row">
        <TextInput
          className="isg-mount-path"
          label={storage.name}
          value={mount.path}
          placeholder="/path/to/the/mounted/storage"
          disabled={isBusy}
          spellCheck={false}
          autoComplete="off"
          classNames={{ input: 'isg-mono' }}
          onChange={(event) =>
            setup.tell({ type: 'mount-typed', storageId: storage.id, path: event.currentTarget.value })
          }
          onBlur={() => {
            if (mount.test === null && isPath(mount.path)) void setup.testMount(storage.id);
          }}
        />
        <Button
          variant="default"
          leftSection={<IconFolder size={16} />}
          disabled={isBusy}
          aria-label={`Choose folder of ${storage.name}`}
          onClick={() => void setup.chooseFolder(storage.id, storage.name)}
        >
          Choose folder
        </Button>
      </div>
      <div role="status" className="isg-mount-verdict">
        <Verdict mount={mount} />
      </div>
    </li>
  );
}

/** Step 3: where each storage is on this machine; each folder is tried before the next step opens. */
export function MountStep() {
  const { state, setup } = useSetup();
  const storages = storagesToMount(state);
  useEffect(() => {
    void setup.testMounts();
  }, [setup]);
  return (
    <StepForm
      state={state}
      setup={setup}
      title="Say where the storages are"
      about="The mount point is the folder under which this machine sees a storage. It is tested here: the node must be able to read and write in it. Then iconik is told."
      continueLabel="Test and continue"
      remedy="Nothing was changed on this machine. Check the permissions of the token in iconik, then try again."
    >
      {storages.length === 0 ? (
        <ErrorNotice
          status="warning"
          cause="This storage gateway has no storages in iconik."
          consequence="The node will run, but scan and move nothing."
          remedy="Give it storages in iconik at any time; the node takes them up within seconds."
        />
      ) : (
        <ul className="isg-mounts">
          {storages.map((storage) => (
            <MountField key={storage.id} storage={storage} />
          ))}
        </ul>
      )}
    </StepForm>
  );
}
