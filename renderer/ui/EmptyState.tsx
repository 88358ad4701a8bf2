import type { ReactNode } from 'react';
import './notice.css';

/** Says why there is nothing, and what would put something there. `children`: one or two sentences; `action`: a button. */
export function EmptyState({
  title,
  children,
  action,
  icon,
}: {
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  icon?: ReactNode;
}) {
  return (
    <div className="isg-empty">
      {icon}
      <div className="isg-empty-title">{title}</div>
      {children === undefined ? null : <div className="isg-empty-text">{children}</div>}
      {action}
    </div>
  );
}
