import { Button } from '@mantine/core';
import { useState } from 'react';
import type { TokenPlace as Place } from '../../../preload/contract/bridge.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';

const WORDS = {
  file: 'It stands in config.ini, readable for whoever may read that file.',
  'key-store':
    "It is kept in this system's key store, not in config.ini. A node without this application cannot read it.",
  none: '',
} as const;

/** Where the saved token is kept, and a button that moves it. */
export function TokenPlace({ token, reload }: { token: Place; reload: () => Promise<void> }) {
  const [isBusy, setIsBusy] = useState(false);
  const [failure, setFailure] = useState('');
  const { place, canUseKeyStore, why } = token;
  if (place === 'none') return null;
  const other = place === 'file' ? 'key-store' : 'file';
  const move = async () => {
    setIsBusy(true);
    setFailure('');
    try {
      const { problems } = await callBridge('config.write', { changes: {}, tokenPlace: other });
      setFailure(problems.join(' '));
      await reload();
    } catch (thrown) {
      setFailure(asBridgeError(thrown).message);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <div className="isg-token-place isg-small" data-testid="token-place" data-place={place}>
      <p className="isg-dim">
        {WORDS[place]} {why}
      </p>
      {place === 'file' && !canUseKeyStore ? null : (
        <Button variant="default" size="compact-sm" loading={isBusy} onClick={() => void move()}>
          {place === 'file' ? 'Keep it in the key store' : 'Write it into config.ini'}
        </Button>
      )}
      {failure === '' ? null : <p role="alert">{failure}</p>}
    </div>
  );
}
