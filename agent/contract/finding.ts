import { z } from 'zod';

/**
 * What a diagnosis can find, in the order in which one thing explains another: whatever stands first is the likelier root
 * cause. The README's troubleshooting table has one row for each.
 */
export const FINDING_CODES = [
  'config-invalid',
  'clock-off',
  'iconik-dns',
  'iconik-proxy',
  'iconik-tls',
  'iconik-unreachable',
  'iconik-unauthorized',
  'iconik-forbidden',
  'iconik-throttled',
  'iconik-unavailable',
  'iconik-rejected',
  'gateway-unknown',
  'db-uri-missing',
  'db-uri-invalid',
  'db-tls-file',
  'db-dns',
  'db-unreachable',
  'db-silent',
  'db-tls-unavailable',
  'db-tls-demanded',
  'db-tls-self-signed',
  'db-tls-untrusted',
  'db-tls-expired',
  'db-tls-wrong-name',
  'db-tls-client-certificate',
  'db-tls-failed',
  'db-password',
  'db-access-rule',
  'db-missing',
  'db-connections',
  'pgbouncer-server-down',
  'pgbouncer-server-login',
  'pgbouncer-statement-mode',
  'db-read-only',
  'db-rights',
  'db-version',
  'db-schema-newer',
  'db-other-cluster',
  'db-trouble',
  'cluster-disabled',
  'gateway-disabled',
  'duplicate-gateway',
  'storage-no-mount-point',
  'storage-hung',
  'storage-gone',
  'storage-empty',
  'storage-wrong-share',
  'storage-rights',
  'storage-read-only',
  'storage-unreadable',
  'visibility-timeout-short',
  'role-uncovered',
  'no-leader',
  'leader-changes',
  'jobs-stuck',
  'jobs-dead',
  'ffmpeg-missing',
  'disk-low',
  'requests-short',
  'version-mix',
  'not-checked',
] as const;

/** What was found, as one word. */
export const findingCodeSchema = z.enum(FINDING_CODES);
/** What was found, as one word. */
export type FindingCode = z.infer<typeof findingCodeSchema>;

/** One finding of a diagnosis, in words for the people who run the node. Never holds a secret. */
export const findingSchema = z.object({
  code: findingCodeSchema,
  /** `error`: work stands still or soon will. `warning`: worth knowing, nothing stands still. */
  severity: z.enum(['error', 'warning']),
  /** What is wrong, in one sentence. */
  cause: z.string().min(1),
  /** What was seen that says so. */
  evidence: z.string().min(1),
  /** What to do. */
  remedy: z.string().min(1),
});
/** One finding of a diagnosis. */
export type Finding = z.infer<typeof findingSchema>;

/** A whole diagnosis: findings by likely root cause, `ok` when none of them is an error. */
export const diagnosisSchema = z.object({
  ok: z.boolean(),
  findings: z.array(findingSchema),
  /** What was looked at, in words; what could not be has a finding `not-checked`. */
  checked: z.array(z.string()),
});
/** A whole diagnosis. */
export type Diagnosis = z.infer<typeof diagnosisSchema>;
