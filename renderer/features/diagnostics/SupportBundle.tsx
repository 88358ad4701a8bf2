import { Button } from '@mantine/core';
import { IconPackage } from '@tabler/icons-react';
import type { AppState } from '../../../preload/contract/app-state.ts';
import { asBridgeError, callBridge } from '../../bridge/call.ts';
import { ProgressLine } from './ProgressLine.tsx';

async function save(onSaid: (words: string) => void): Promise<void> {
  onSaid('');
  try {
    const { path } = await callBridge('app.save-support-bundle', {});
    onSaid(
      path === null
        ? 'No support bundle was made.'
        : `Support bundle saved as ${path}. Look through it before you pass it on.`,
    );
  } catch (thrown) {
    onSaid(asBridgeError(thrown).message);
  }
}

/** Asks where to and makes a support bundle, with or without a running agent; `onSaid` gets the outcome in words. */
export function SupportBundleButton({ state, onSaid }: { state: AppState; onSaid: (words: string) => void }) {
  return (
    <Button
      size="compact-sm"
      variant="default"
      leftSection={<IconPackage size={14} />}
      disabled={state.bundle !== null}
      onClick={() => void save(onSaid)}
    >
      Support bundle…
    </Button>
  );
}

/** How far the support bundle is, and the way to stop it; nothing while none is being made. */
export function SupportBundleProgress({ bundle }: { bundle: AppState['bundle'] }) {
  if (bundle === null) return null;
  return (
    <div className="isg-bundle">
      <ProgressLine label="Support bundle" doing={bundle.doing} share={bundle.share}>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => void callBridge('app.cancel-support-bundle', {}).catch(() => undefined)}
        >
          Cancel
        </Button>
      </ProgressLine>
    </div>
  );
}
