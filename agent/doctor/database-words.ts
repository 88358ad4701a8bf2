import type { FindingCode } from '../contract/index.ts';

/** What each finding about the database means and what to do; `{place}` and `{user}` stand for those of the URI. */
export const DATABASE_WORDS: Partial<Record<FindingCode, readonly [cause: string, remedy: string]>> = {
  'db-uri-invalid': [
    'db_connection_uri of the cluster is no usable address.',
    'Correct it in the cluster’s settings in iconik.',
  ],
  'db-tls-file': [
    'A certificate or key that db_connection_uri names cannot be used on this machine.',
    'Put the file there, readable for the user of this program, or correct the path.',
  ],
  'db-dns': [
    'The host name of the database {place} cannot be resolved on this machine.',
    'Correct db_connection_uri, or this machine’s DNS.',
  ],
  'db-unreachable': [
    'Nothing accepts connections for the database {place}.',
    'Start PostgreSQL (or pgBouncer) there; check host, port and firewall.',
  ],
  'db-silent': [
    'The database {place} does not answer.',
    'Check network and firewall between this machine and it, and its load.',
  ],
  'db-tls-unavailable': [
    'The database {place} offers no TLS, but sslmode demands it.',
    'Turn TLS on there (ssl = on; with pgBouncer client_tls_sslmode), or use sslmode=prefer.',
  ],
  'db-tls-demanded': [
    'The database {place} lets nobody in without TLS, and this node came without.',
    'Use sslmode=require or verify-full in db_connection_uri.',
  ],
  'db-tls-self-signed': [
    'The certificate of the database {place} is signed by itself, and this node does not trust it.',
    'Name that certificate by sslrootcert in db_connection_uri, or have one signed by an authority.',
  ],
  'db-tls-untrusted': [
    'The certificate of the database {place} comes from an authority that this node does not trust.',
    'sslrootcert in db_connection_uri must name the certificate of the authority that signed the server’s. The server must send intermediate certificates, too.',
  ],
  'db-tls-expired': [
    'The certificate of the database {place} is not valid today.',
    'Renew it on the server; if it is valid, this machine’s clock is wrong.',
  ],
  'db-tls-wrong-name': [
    'The certificate of the database {place} was made out for another name.',
    'Use the name that stands in the certificate in db_connection_uri, have it reissued, or use sslmode=verify-ca.',
  ],
  'db-tls-client-certificate': [
    'The database {place} demands a client certificate, and does not accept the one of this node.',
    'Name certificate and key by sslcert and sslkey in db_connection_uri; the server must trust their authority, and the name in it must be the user.',
  ],
  'db-tls-failed': [
    'TLS to the database {place} cannot be set up.',
    'Check sslmode, sslrootcert, sslcert and sslkey in db_connection_uri, and which TLS versions the server allows.',
  ],
  'db-password': [
    'The database {place} does not accept user "{user}" or the password.',
    'Correct them in db_connection_uri; with pgBouncer also in its user list (auth_file or auth_query).',
  ],
  'db-access-rule': [
    'The database {place} does not let user "{user}" in from this machine.',
    'Add a line for this machine to pg_hba.conf on the server.',
  ],
  'db-missing': [
    'There is no such database: {place}.',
    'Create it, or correct its name in db_connection_uri (with pgBouncer: in its [databases]).',
  ],
  'db-connections': [
    'The database {place} has no connection left.',
    'Raise max_connections (or max_client_conn of pgBouncer), or put pgBouncer in front of PostgreSQL.',
  ],
  'pgbouncer-server-down': [
    'pgBouncer answers for {place}, but PostgreSQL behind it does not.',
    'Start PostgreSQL, and check host and port in pgBouncer’s [databases].',
  ],
  'pgbouncer-server-login': [
    'pgBouncer answers for {place}, but PostgreSQL behind it refuses its login.',
    'Correct user and password that pgBouncer uses towards PostgreSQL (auth_file, [databases]).',
  ],
  'pgbouncer-statement-mode': [
    'pgBouncer in front of {place} runs in statement mode, which allows no transactions.',
    'Set pool_mode = transaction (or session) for this database in pgbouncer.ini.',
  ],
  'db-read-only': [
    'The database {place} is read-only: a standby, or failing over.',
    'Point db_connection_uri at the primary, or name all servers and add target_session_attrs=read-write.',
  ],
  'db-rights': [
    'User "{user}" lacks rights in the database {place}.',
    'Make the user owner of the schema: CREATE SCHEMA isg AUTHORIZATION the user; or GRANT ALL on the schema it uses.',
  ],
  'db-schema-newer': ['The tables in {place} were made by a newer version of this program.', 'Update this node.'],
  'db-other-cluster': ['The database {place} belongs to another cluster.', 'Give each cluster a database of its own.'],
};
