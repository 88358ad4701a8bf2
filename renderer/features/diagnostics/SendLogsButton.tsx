import { Button } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useState } from 'react';
import { asBridgeError, callBridge } from '../../bridge/call.ts';

/**
 * Sends this node's logs to iconik, for whoever helps there; `onSaid` gets the outcome in words. Only a running node can:
 * otherwise the button says so when it is pressed, which a disabled one could not.
 */
export function SendLogsButton({ isRunning, onSaid }: { isRunning: boolean; onSaid: (words: string) => void }) {
  const [isBusy, setIsBusy] = useState(false);
  const send = async () => {
    if (!isRunning) {
      onSaid('Logs are sent by a running node, and this one does not run now. They are in its log folder.');
      return;
    }
    setIsBusy(true);
    onSaid('');
    try {
      const { filename } = await callBridge('logs.send', {});
      onSaid(`Logs sent to iconik as ${filename}. iconik keeps them for 30 days.`);
    } catch (thrown) {
      onSaid(`The logs were not sent: ${asBridgeError(thrown).message}`);
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <Button
      size="compact-sm"
      variant="default"
      leftSection={<IconSend size={14} />}
      loading={isBusy}
      onClick={() => void send()}
    >
      Send logs to iconik
    </Button>
  );
}
