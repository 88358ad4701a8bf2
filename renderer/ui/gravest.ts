import type { Status } from './StatusMark.tsx';

const GRAVITY: readonly Status[] = ['failing', 'warning', 'unknown', 'ok'];

/** The gravest of several: failing, warning, unknown, ok. None at all is unknown. */
export function gravest(statuses: readonly Status[]): Status {
  return GRAVITY.find((status) => statuses.includes(status)) ?? 'unknown';
}
