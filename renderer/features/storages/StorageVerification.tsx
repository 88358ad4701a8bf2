import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { StorageState } from '../../../agent/contract/index.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { ErrorNotice } from '../../ui/ErrorNotice.tsx';
import './storages.css';

/** Orders that files be read again and compared with what is recorded of them. */
export function StorageVerification({ storage, canRead }: { storage: StorageState; canRead: boolean }) {
  const [directory, setDirectory] = useState('');
  const [isBusy, setIsBusy] = useState(false);
  const [said, setSaid] = useState('');
  const [failure, setFailure] = useState('');
  const order = async (call: 'storages.verify' | 'storages.write-mhl') => {
    setIsBusy(true);
    setSaid('');
    setFailure('');
    try {
      const { isNew } = await callBridge(call, { storageId: storage.id, directory: directory.trim() });
      setSaid(isNew ? 'Ordered. The job screen shows how far it is and what it finds.' : 'It is ordered already.');
    } catch (thrown) {
      setFailure(asBridgeError(thrown).message);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <>
      <p>
        Reads files again and compares them with their recorded digests. It finds content that was damaged or altered
        while size and time stayed the same, and changes nothing.
      </p>
      {failure === '' ? null : <ErrorNotice cause={failure} isLive />}
      <div className="isg-row">
        <TextInput
          aria-label="Folder"
          placeholder="Folder; empty = the whole storage"
          value={directory}
          onChange={(event) => setDirectory(event.currentTarget.value)}
        />
        <Button loading={isBusy} disabled={!canRead} onClick={() => void order('storages.verify')}>
          Verify
        </Button>
        <Button
          variant="default"
          loading={isBusy}
          disabled={!canRead}
          title="Writes the recorded digests into the folder ascmhl, for other programs to verify"
          onClick={() => void order('storages.write-mhl')}
        >
          Write ASC MHL
        </Button>
        <span role="status" className="isg-dim">
          {said}
        </span>
      </div>
    </>
  );
}
