import { Button } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { SetupSteps } from './SetupAssistant.tsx';
import { endSetup, theSetup } from './use-setup.ts';

/** The assistant over the whole window, for an installation that is set up already. Escape and the button leave it. */
export function SetupDialog({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    // the browser keeps the focus inside and the rest of the window out of reach
    if (shown !== null && !shown.open) shown.showModal();
    shown?.querySelector<HTMLElement>('h1')?.focus();
    return () => shown?.close();
  }, []);
  const leave = () => {
    // a run that has written its file is over; any other goes on from its draft
    if (theSetup().get().writtenMs !== null) endSetup();
    onClose();
  };
  return (
    <dialog
      ref={dialog}
      className="isg-setup-dialog"
      aria-label="Set up ISG Pro"
      onCancel={(event) => {
        event.preventDefault();
        leave();
      }}
    >
      <SetupSteps
        aside={
          <Button variant="default" onClick={leave}>
            Close assistant
          </Button>
        }
      />
    </dialog>
  );
}
