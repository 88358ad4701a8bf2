import type { Finding } from '../../../agent/contract/index.ts';
import type { AppState, CheckState } from '../../../preload/contract/app-state.ts';
import { plural } from '../../ui/format.ts';

/** A full check as it is now: one state at a time. */
export type CheckView =
  | { kind: 'never' }
  | { kind: 'running'; sinceMs: number }
  | { kind: 'failed'; why: string }
  | { kind: 'clean' | 'found'; last: NonNullable<CheckState['last']> };

/** What is to be shown of the check. Pure. */
export function checkView({ runningSinceMs, last, failure }: CheckState): CheckView {
  if (runningSinceMs !== null) return { kind: 'running', sinceMs: runningSinceMs };
  if (failure !== '') return { kind: 'failed', why: failure };
  if (last === null) return { kind: 'never' };
  return { kind: last.diagnosis.findings.length === 0 ? 'clean' : 'found', last };
}

const errorsIn = (findings: readonly Finding[]): number =>
  findings.filter(({ severity }) => severity === 'error').length;

/** What a check found, in one sentence. Pure. */
export function foundSentence(findings: readonly Finding[]): string {
  const errors = errorsIn(findings);
  const warnings = findings.length - errors;
  if (findings.length === 0) return 'Nothing is wrong.';
  if (errors === 0) return `Nothing stands still; ${plural(warnings, 'thing')} to know.`;
  const also = warnings === 0 ? '' : `, and ${plural(warnings, 'thing')} to know`;
  return errors === 1
    ? `One problem${also}.`
    : `${errors} problems${also}. What stands first is the likeliest cause of the rest.`;
}

/** Errors of the last check, which a sentence about the node must not pass over. Pure. */
export function checkErrors({ check }: AppState): number {
  return check.last === null ? 0 : errorsIn(check.last.diagnosis.findings);
}

/** The outcome as plain text, to be pasted into a message to somebody who helps. Pure. */
export function checkAsText(state: AppState, { atMs, diagnosis }: NonNullable<CheckState['last']>): string {
  const node = state.snapshot?.node;
  const head = [
    `ISG Pro ${state.appVersion} (${state.platform}), full check of ${new Date(atMs).toISOString()}`,
    ...(node === undefined ? [] : [`Node ${node.name} on ${node.host}, storage gateway ${node.storageGatewayId}`]),
    foundSentence(diagnosis.findings),
  ];
  const body = diagnosis.findings.map(({ code, severity, cause, evidence, remedy }, at) =>
    [`${at + 1}. [${severity}] ${code}: ${cause}`, `   Seen: ${evidence}`, `   Remedy: ${remedy}`].join('\n'),
  );
  return [...head, '', ...body, `Looked at: ${diagnosis.checked.join(', ')}.`].join('\n');
}
