import type { Finding, FindingCode } from '../contract/index.ts';
import type { IsgError } from '../runtime/errors.ts';
import { DATABASE_WORDS } from './database-words.ts';
import { errorTrail } from './error-trail.ts';

// Why the cluster's database cannot be worked with, in words. Pure.

/** Where the database is, in words without the password. */
export interface DatabasePlace {
  /** e.g. `isg at db1:5432`. */
  place: string;
  user: string;
}

/** What a text of PostgreSQL, pgBouncer or Node means; the first that fits counts (tried with PostgreSQL 17, pgBouncer 1.18). */
const BY_TEXT: readonly (readonly [RegExp, FindingCode])[] = [
  [/transaction blocks not allowed in statement pooling/i, 'pgbouncer-statement-mode'],
  [/does not support SSL/i, 'db-tls-unavailable'],
  // PostgreSQL says it of SCRAM whose TLS ended at somebody else's certificate.
  [/channel binding/i, 'db-tls-failed'],
  [/server login failed|login failed: FATAL/i, 'pgbouncer-server-login'],
  [
    /server_login_retry|cannot connect to server|server login has been failing|connect failed|pgbouncer cannot connect/i,
    'pgbouncer-server-down',
  ],
  [/pg_hba\.conf (entry|rejects).*(no encryption|SSL off)|SSL required|TLS required/i, 'db-tls-demanded'],
  [/valid client certificate|certificate authentication failed/i, 'db-tls-client-certificate'],
  [/no pg_hba\.conf entry|pg_hba\.conf rejects/i, 'db-access-rule'],
  [
    /password authentication failed|SASL authentication failed|no such user|auth failed|client password must be/i,
    'db-password',
  ],
  [/no such database|database ".*" does not exist/i, 'db-missing'],
  [/no more connections allowed|too many (clients|connections)|remaining connection slots/i, 'db-connections'],
];

const BY_CODE: readonly (readonly [RegExp, FindingCode])[] = [
  [/^DEPTH_ZERO_SELF_SIGNED_CERT$/, 'db-tls-self-signed'],
  [/^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/, 'db-tls-expired'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$|^HOSTNAME_MISMATCH$/, 'db-tls-wrong-name'],
  [/^(SELF_SIGNED_CERT_IN_CHAIN$|UNABLE_TO_(VERIFY|GET_ISSUER))/, 'db-tls-untrusted'],
  [
    /ALERT_(CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE|HANDSHAKE_FAILURE|CERTIFICATE_)|PEM|KEY_VALUES_MISMATCH/,
    'db-tls-client-certificate',
  ],
  [/^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|EPROTO)/, 'db-tls-failed'],
  [/^(ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/, 'db-dns'],
  [/^(ECONNREFUSED|ENOENT|EACCES|EHOSTUNREACH|ENETUNREACH)$/, 'db-unreachable'],
  [/^28P01$/, 'db-password'],
  [/^28000$/, 'db-access-rule'],
  [/^3D000$/, 'db-missing'],
  [/^53300$/, 'db-connections'],
  [/^25006$/, 'db-read-only'],
  [/^42501$/, 'db-rights'],
  [/^ETIMEDOUT$/, 'db-silent'],
];

/** pgBouncer's own SQLSTATE. It passes on under it why PostgreSQL refused its login; its own refusals name no user. */
const POOLER_STATE = '08P01';
const SERVERS_REFUSAL = /authentication failed for user "/;

/** Whether this answer can only be pgBouncer's: PostgreSQL has other words for a database that is not there. */
export function isPoolersAnswer(error: IsgError): boolean {
  return errorTrail(error).codes.includes(POOLER_STATE);
}

const OTHERWISE = ['The database {place} cannot be worked with.', 'Look after what it says.'] as const;

function codeOf(error: IsgError): FindingCode {
  if (error.code === 'config-invalid')
    return String(error.fields.part).startsWith('ssl') ? 'db-tls-file' : 'db-uri-invalid';
  if (error.code === 'other-cluster') return 'db-other-cluster';
  if (error.code === 'schema-too-new') return 'db-schema-newer';
  const { codes, words } = errorTrail(error);
  if (codes.includes(POOLER_STATE) && SERVERS_REFUSAL.test(words)) return 'pgbouncer-server-login';
  const found =
    BY_TEXT.find(([pattern]) => pattern.test(words)) ??
    BY_CODE.find(([pattern]) => codes.some((code) => pattern.test(code)));
  if (found !== undefined) return found[1];
  if (/target_session_attrs/.test(error.message)) return 'db-read-only';
  return /timeout|timed out|in time|terminated/i.test(words) ? 'db-silent' : 'db-trouble';
}

/** The finding of this code about a database, with what was seen of it. */
export function databaseFinding(code: FindingCode, { place, user }: DatabasePlace, evidence: string): Finding {
  const [cause, remedy] = DATABASE_WORDS[code] ?? OTHERWISE;
  return {
    code,
    severity: 'error',
    cause: cause.replace('{place}', () => place).replace('{user}', () => user),
    evidence,
    remedy,
  };
}

/** The finding for a database that refused or did not answer; `evidence` holds what was said, never the URI. */
export function explainDatabase(error: IsgError, place: DatabasePlace): Finding {
  const { codes, words } = errorTrail(error.cause);
  const said = [words, [...new Set(codes)].join(', ')].filter(Boolean).join(' · ');
  return databaseFinding(codeOf(error), place, said === '' ? error.message : said);
}
