import { IsgError } from '../../runtime/errors.ts';

/** What a call ends with that was cancelled; the agent puts its own reason in place of it. */
export function cancelled(): IsgError {
  return new IsgError('cancelled', 'The call was cancelled.', { retry: 'transient' });
}

/** Throws `cancelled` once the call was cancelled. */
export function assertNotCancelled(signal: { readonly aborted: boolean }): void {
  if (signal.aborted) throw cancelled();
}
