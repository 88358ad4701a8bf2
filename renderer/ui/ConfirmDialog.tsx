import { Button, Modal } from '@mantine/core';
import { type ReactNode, useEffect, useState } from 'react';
import { asBridgeError, type BridgeError } from '../bridge/call.ts';
import { ErrorNotice } from './ErrorNotice.tsx';

/** What is asked before something that changes running work. */
export interface ConfirmDialogProps {
  opened: boolean;
  onClose: () => void;
  /** The question, e.g. "Disable the cluster?". */
  title: string;
  /** What will happen to running work, with numbers. */
  body: ReactNode;
  /** The verb, e.g. "Disable cluster". */
  confirmLabel: string;
  /** Does it; may return a promise. While it runs the dialog stays; a thrown error is shown in it; otherwise it closes. */
  onConfirm: () => unknown;
  /** `danger` for what stops or removes; default `plain`. */
  tone?: 'plain' | 'danger';
  /** Default "Cancel"; name it where "Cancel" is what the dialog does. */
  cancelLabel?: string;
}

/** Asks first. Focus starts on the way out; Escape leaves. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { opened, onClose, title, body, confirmLabel, onConfirm, tone = 'plain', cancelLabel = 'Cancel' } = props;
  const [isBusy, setIsBusy] = useState(false);
  const [error, setError] = useState<BridgeError | null>(null);
  useEffect(() => {
    if (opened) setError(null);
  }, [opened]);
  const confirm = async () => {
    setIsBusy(true);
    setError(null);
    try {
      await onConfirm();
      onClose();
    } catch (thrown) {
      setError(asBridgeError(thrown));
    } finally {
      setIsBusy(false);
    }
  };
  return (
    <Modal opened={opened} onClose={onClose} withCloseButton={false}>
      <div className="isg-stack">
        {/* As a child, not as the dialog's `title`: that stands in a <header>, which counts as a second banner of the page. */}
        <Modal.Title>
          <b>{title}</b>
        </Modal.Title>
        <div>{body}</div>
        {error === null ? null : <ErrorNotice cause={error.message} isLive />}
        <div className="isg-row" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={onClose} data-autofocus>
            {cancelLabel}
          </Button>
          <Button {...(tone === 'danger' ? { color: 'red.9' } : {})} loading={isBusy} onClick={() => void confirm()}>
            {confirmLabel}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
