import { Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';

/** A term of the product with its meaning, on hover and by keyboard. */
export function Term({ children, meaning }: { children: ReactNode; meaning: string }) {
  return (
    <Tooltip label={meaning}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the meaning must be reachable by keyboard. */}
      <span className="isg-term" tabIndex={0}>
        {children}
      </span>
    </Tooltip>
  );
}
