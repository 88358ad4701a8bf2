import { IsgError } from '../../runtime/errors.ts';

/** Throws `cancelled` when the call was cancelled; the agent puts its own reason in place of it. */
export function assertNotCancelled(signal: { readonly aborted: boolean }): void {
  if (signal.aborted) throw new IsgError('cancelled', 'The call was cancelled.', { retry: 'transient' });
}
