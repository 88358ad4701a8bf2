import { type Diagnosis, FINDING_CODES, type Finding, type FindingCode } from '../contract/index.ts';

// From single findings to one diagnosis. Pure.

const rankOf = (code: FindingCode): number => FINDING_CODES.indexOf(code);

/** What each code explains away: where it stands, these are consequences that would only distract. */
const EXPLAINS: Partial<Record<FindingCode, readonly FindingCode[]>> = {
  // A cluster that is switched off has no leader and does no work by intent.
  'cluster-disabled': ['no-leader', 'role-uncovered', 'jobs-stuck', 'leader-changes'],
};

/** Findings by likely root cause, without those that another one explains; `ok` when none is an error. */
export function diagnosisOf(findings: readonly Finding[], checked: readonly string[]): Diagnosis {
  const explained = new Set(findings.flatMap(({ code }) => EXPLAINS[code] ?? []));
  const left = findings.filter(({ code }) => !explained.has(code));
  const sorted = left.toSorted(
    (a, b) => Number(b.severity === 'error') - Number(a.severity === 'error') || rankOf(a.code) - rankOf(b.code),
  );
  return { ok: sorted.every(({ severity }) => severity !== 'error'), findings: sorted, checked: [...checked] };
}

/** The diagnosis for people: findings first, then what was found in order. */
export function diagnosisText({ ok, findings, checked }: Diagnosis): string {
  const blocks = findings.map(
    ({ code, severity, cause, evidence, remedy }, at) =>
      `${at + 1}. ${severity === 'error' ? 'PROBLEM' : 'WARNING'} ${code}\n   ${cause}\n   Seen: ${evidence}\n   Do: ${remedy}\n`,
  );
  const verdict = ok
    ? findings.length === 0
      ? 'Nothing is wrong.\n'
      : 'Nothing stands still.\n'
    : 'What stands first is the likeliest cause of the rest.\n';
  return `${blocks.join('')}${verdict}Looked at: ${checked.join(', ')}.\n`;
}
