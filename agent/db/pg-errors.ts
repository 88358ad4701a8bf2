import { IsgError } from '../runtime/errors.ts';

/**
 * What was going on when the error came; decides whether the effect is in doubt.
 * `connect`: nothing was asked yet. `statement`: an own transaction of one statement, asked and unanswered.
 * `inside`: a statement inside a transaction, which can only have been rolled back. `commit`: the answer to COMMIT.
 */
export type PgPhase = 'connect' | 'statement' | 'inside' | 'commit';

interface Verdict {
  code: 'database-unreachable' | 'database-refused' | 'database-conflict';
  retry: 'transient' | 'permanent';
  words: string;
  /** The server ended the session rather than answering: whether the work took effect is unknown. */
  cutOff?: true;
}

const refused = (words: string): Verdict => ({ code: 'database-refused', retry: 'permanent', words });
const refusedForNow = (words: string): Verdict => ({ code: 'database-refused', retry: 'transient', words });
const conflict = (words: string): Verdict => ({ code: 'database-conflict', retry: 'transient', words });
const unreachable = (words: string): Verdict => ({ code: 'database-unreachable', retry: 'transient', words });
const cutOff = (words: string): Verdict => ({ ...unreachable(words), cutOff: true });

const WRONG_PASSWORD =
  'The database refused the user name or password. Correct them in db_connection_uri of the cluster (with pgBouncer: also in its user list).';

/** SQLSTATE → verdict (PostgreSQL manual, appendix A). */
const BY_STATE: Record<string, Verdict> = {
  '28P01': refused(WRONG_PASSWORD),
  '28000': refused(
    'The database does not let this user in from this address (pg_hba.conf, or TLS demanded). Check db_connection_uri and the server’s access rules.',
  ),
  '3D000': refused(
    'The database named in db_connection_uri does not exist on this server. Create it or correct the name.',
  ),
  '42501': refused(
    'The database user lacks a right. It must own the database or the schema it works in (GRANT ALL ON SCHEMA … TO the user).',
  ),
  '25006': refusedForNow(
    'The database server is read-only (a standby, or failing over). Point db_connection_uri at the primary, or add target_session_attrs=read-write.',
  ),
  '42P01': refused(
    'A table is missing in the database. The schema was not migrated, or the search_path of the database user has changed.',
  ),
  '40001': conflict('Two transactions touched the same rows; this one was rolled back and may be repeated.'),
  '40P01': conflict('Two transactions waited for each other; this one was rolled back and may be repeated.'),
  '55P03': conflict('A row stayed locked by another transaction for longer than allowed; may be repeated.'),
  '57014': conflict('The database cancelled the statement because it took longer than allowed; may be repeated.'),
  '25P03': conflict('The database ended a transaction that stood idle for too long; it was rolled back.'),
  '25P04': conflict('The database ended a transaction that took too long; it was rolled back.'),
  '23505': { ...conflict('A row with this key exists already.'), retry: 'permanent' },
  '53300': unreachable('The database has no free connection left. Raise max_connections, or put pgBouncer in front.'),
  '53100': refusedForNow('The disk of the database server is full. Free space there.'),
  '53200': refusedForNow('The database server is out of memory.'),
  '57P03': unreachable('The database server is starting up or shutting down.'),
  '57P01': cutOff('The database server ended the connection (shutdown, restart or an administrator).'),
  '57P02': cutOff('The database server crashed and is recovering.'),
  '57P05': cutOff('The database server ended an idle connection.'),
};

/** pgBouncer answers most of its own troubles with 08P01 or the class 08; the text tells them apart (tried with 1.18). */
const POOLER_TEXTS: readonly (readonly [RegExp, Verdict])[] = [
  [/password authentication failed|SASL authentication failed|auth failed|no such user/i, refused(WRONG_PASSWORD)],
  [
    /not allowed in statement pooling mode/i,
    refused(
      'pgBouncer runs in statement mode, which allows no transactions. Set pool_mode = transaction (or session) for this database in pgbouncer.ini.',
    ),
  ],
  [
    /no such database|does not exist/i,
    refused('pgBouncer knows no database of this name. Correct db_connection_uri or pgbouncer.ini.'),
  ],
  [
    /unsupported startup parameter/i,
    refused('pgBouncer refused a startup parameter. Remove extra parameters from db_connection_uri.'),
  ],
  [
    /no more connections allowed|max_client_conn/i,
    unreachable('pgBouncer has no free client connection left (max_client_conn).'),
  ],
  [
    /query_wait_timeout|client_login_timeout|pooler is shut|server login|server_login_retry|cannot connect|database .* paused/i,
    unreachable('pgBouncer has no working connection to PostgreSQL at the moment.'),
  ],
  [
    /server conn crashed|connection .*closed|query_timeout|server_lifetime|server idle/i,
    cutOff('pgBouncer lost its connection to PostgreSQL in the middle.'),
  ],
];

/** Node's network error codes → what they mean for an operator. */
const NETWORK_WORDS: Record<string, string> = {
  ECONNREFUSED:
    'Nothing listens at the database’s address. Is PostgreSQL (or pgBouncer) running, and are host and port right?',
  ENOTFOUND: 'The database’s host name cannot be resolved. Check db_connection_uri and DNS.',
  EAI_AGAIN: 'The database’s host name cannot be resolved at the moment (DNS).',
  ETIMEDOUT: 'The database did not answer in time. Check network and firewall.',
  EHOSTUNREACH: 'There is no route to the database’s host.',
  ENETUNREACH: 'There is no route to the database’s network.',
  ENOENT: 'The database’s unix socket does not exist. Is PostgreSQL running?',
  EACCES: 'The database’s unix socket may not be opened by this user.',
};

/** OpenSSL and Node TLS codes that mean the certificate, not the network. */
const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_INVALID_|HOSTNAME_MISMATCH)/;

function property(thrown: unknown, name: string): string {
  if (typeof thrown !== 'object' || thrown === null || !(name in thrown)) return '';
  const value = (thrown as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : '';
}

function verdictOfState(state: string, text: string): Verdict {
  if (state.startsWith('08')) {
    const known = POOLER_TEXTS.find(([pattern]) => pattern.test(text));
    return known?.[1] ?? cutOff(`The database connection broke (${text}).`);
  }
  const known = BY_STATE[state];
  if (known !== undefined) return known;
  if (state.startsWith('40')) return conflict(`The transaction was rolled back (${text}).`);
  if (state.startsWith('57P')) return cutOff(`The database server ended the connection (${text}).`);
  if (state.startsWith('53')) return refusedForNow(`The database server is short of a resource (${text}).`);
  return refused(`The database refused a statement: ${text}.`);
}

function verdictOfNetwork(code: string, text: string, phase: PgPhase): Verdict {
  if (TLS_CODE.test(code)) {
    return refused(
      `TLS to the database failed (${code}: ${text}). Check sslmode, sslrootcert, sslcert and sslkey of db_connection_uri.`,
    );
  }
  if (/does not support SSL/i.test(text)) {
    return refused('The database offers no TLS but sslmode demands it. Turn TLS on there, or use sslmode=prefer.');
  }
  if (/client password must be a|SASL.*password/i.test(text)) return refused(WRONG_PASSWORD);
  const words = NETWORK_WORDS[code] ?? `The connection to the database broke or timed out (${code || text}).`;
  return phase === 'connect' ? unreachable(words) : cutOff(words);
}

/**
 * The product's error for anything thrown by pg, by Node's sockets under it, or by our own deadline on it. Never contains
 * the connection URI, parameters or row values. `fields.inDoubt` is true when the database may have done the work although
 * no answer came; `fields.sqlState` and `fields.constraint` are the server's own words where it gave some.
 */
export function classifyPgError(thrown: unknown, phase: PgPhase): IsgError {
  if (thrown instanceof IsgError) return thrown;
  const code = property(thrown, 'code');
  const text = property(thrown, 'message');
  const isSqlState = /^[0-9A-Z]{5}$/.test(code) && property(thrown, 'severity') !== '';
  const verdict = isSqlState ? verdictOfState(code, text) : verdictOfNetwork(code, text, phase);
  const fields: Record<string, unknown> = {};
  if (isSqlState) fields.sqlState = code;
  else if (code !== '') fields.network = code;
  const constraint = property(thrown, 'constraint');
  if (constraint !== '') fields.constraint = constraint;
  if (verdict.cutOff && (phase === 'statement' || phase === 'commit')) fields.inDoubt = true;
  return new IsgError(verdict.code, verdict.words, { retry: verdict.retry, cause: thrown, fields });
}

/**
 * Whether an error means that the connection it came over must not be used again: there was no answer, the server ended
 * the session, or it has become read-only (a new connection may find the new primary).
 */
export function breaksConnection(error: IsgError): boolean {
  const { sqlState } = error.fields;
  return error.code === 'database-unreachable' || sqlState === undefined || sqlState === '25006';
}
