import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { callBridge } from '../bridge/call.ts';

const SAID_MS = 2000;

/** Monospace text that is copied by a click; says so for two seconds. `label` names it, e.g. "storage gateway id". */
export function CopyText({ text, label, shown = text }: { text: string; label: string; shown?: string }) {
  const [said, setSaid] = useState<'copied' | 'failed' | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = () =>
    callBridge('app.copy-text', { text }).then(
      () => setSaid('copied'),
      () => setSaid('failed'),
    );
  return (
    <button type="button" className="isg-copy" title={`Copy ${label}`} onClick={() => void copy()}>
      <span className="isg-visually-hidden">Copy {label} </span>
      <span className="isg-mono isg-truncate">{shown}</span>
      {said === 'copied' ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
      <span className="isg-visually-hidden" role="status">
        {said === 'copied' ? 'Copied' : said === 'failed' ? 'Could not copy' : ''}
      </span>
    </button>
  );
}
