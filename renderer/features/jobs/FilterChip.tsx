import type { ReactNode } from 'react';
import './jobs.css';

/** A filter that is on or off; pressed ones carry a tick besides their colour. */
export function FilterChip({
  isOn,
  onToggle,
  children,
  isDisabled = false,
}: {
  isOn: boolean;
  onToggle: () => void;
  children: ReactNode;
  isDisabled?: boolean;
}) {
  return (
    <button type="button" className="isg-chip" aria-pressed={isOn} onClick={onToggle} disabled={isDisabled}>
      {isOn ? (
        <svg width={10} height={10} viewBox="0 0 10 10" aria-hidden>
          <path d="M1.5 5.4l2.4 2.4 4.6-5.4" />
        </svg>
      ) : null}
      {children}
    </button>
  );
}
