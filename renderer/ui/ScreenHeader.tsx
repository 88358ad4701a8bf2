import type { ReactNode } from 'react';
import { type Status, StatusShape } from './StatusMark.tsx';
import './screen.css';

/**
 * Top of every screen: one sentence that answers before any data, with the shape of its `status` before it where the
 * sentence judges; `children` are its actions, at the right.
 */
export function ScreenHeader({
  sentence,
  status,
  children,
}: {
  sentence: ReactNode;
  status?: Status;
  children?: ReactNode;
}) {
  return (
    <header className="isg-screen-header">
      <h1 className="isg-sentence" data-testid="screen-sentence">
        {status === undefined ? null : <StatusShape status={status} size={18} />}
        <span>{sentence}</span>
      </h1>
      {children === undefined ? null : <div className="isg-screen-actions">{children}</div>}
    </header>
  );
}

/** A titled, bordered part of a screen; `aside` stands at the right of the title. `isFlush` = content to the border (tables). */
export function Section({
  title,
  aside,
  children,
  isFlush = false,
}: {
  title: string;
  aside?: ReactNode;
  children: ReactNode;
  isFlush?: boolean;
}) {
  return (
    <section className="isg-section" aria-label={title}>
      <div className="isg-section-head">
        <h2>{title}</h2>
        {aside}
      </div>
      <div className={isFlush ? 'isg-section-flush' : 'isg-section-body'}>{children}</div>
    </section>
  );
}
