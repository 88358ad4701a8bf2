import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { IsgError } from '../runtime/errors.ts';

/** libpq's TLS modes that we know (PostgreSQL manual 33.1.2). `allow` is read as `prefer`. */
export type SslMode = 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** One server of a connection URI. `host` beginning with '/' is the folder of a unix socket. */
export interface HostAddress {
  host: string;
  port: number;
}

/** A connection URI taken apart. Holds the password: never log it. */
export interface ConnectionUri {
  hosts: readonly HostAddress[];
  user: string | undefined;
  password: string | undefined;
  database: string | undefined;
  sslMode: SslMode;
  /** Path of the file with trusted certificates, `system`, or undefined (Node's own list). */
  sslRootCert: string | undefined;
  sslCert: string | undefined;
  sslKey: string | undefined;
  /** `read-write`/`primary` refuse standbys; others accept any server. */
  targetSessionAttrs: 'any' | 'read-write' | 'primary' | 'prefer-standby' | 'read-only' | 'standby';
  /** SCRAM bound to the server's TLS certificate, where the server offers it: a stranger between gets no login through. */
  channelBinding: 'disable' | 'prefer';
  connectTimeoutMs: number | undefined;
  applicationName: string | undefined;
}

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const TARGETS = ['any', 'read-write', 'primary', 'prefer-standby', 'read-only', 'standby'] as const;

function wrong(part: string, problem: string): IsgError {
  return new IsgError('config-invalid', `The database connection URI is wrong: ${part}: ${problem}`, {
    retry: 'permanent',
    fields: { part },
  });
}

function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(part, 'a percent sign is not followed by two hexadecimal digits (write a literal % as %25)');
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535)
    throw wrong('port', `"${text}" is not a number from 1 to 65535`);
  return port;
}

function parseHost(text: string): HostAddress {
  if (text.includes('@')) throw wrong('host', 'contains "@"; an "@" inside the password must be written as %40');
  if (text.startsWith('[')) {
    const end = text.indexOf(']');
    const rest = text.slice(end + 1);
    if (end < 0 || (rest !== '' && !rest.startsWith(':'))) throw wrong('host', 'an IPv6 address must stand in [ ]');
    return { host: text.slice(1, end), port: rest.length > 1 ? parsePort(rest.slice(1)) : 5432 };
  }
  const colon = text.indexOf(':');
  if (colon !== text.lastIndexOf(':')) throw wrong('host', 'an IPv6 address must stand in [ ]');
  const host = decoded('host', colon < 0 ? text : text.slice(0, colon));
  const port = colon < 0 || colon === text.length - 1 ? 5432 : parsePort(text.slice(colon + 1));
  return { host: host === '' ? 'localhost' : host, port };
}

function oneOf<Word extends string>(part: string, words: readonly Word[], text: string): Word {
  const found = words.find((word) => word === text);
  if (found === undefined) throw wrong(part, `"${text}" is not one of ${words.join(', ')}`);
  return found;
}

/** Hosts given as parameters replace those of the authority, as libpq does; ports pair up or one serves all. */
function hostsFrom(authority: string, params: ReadonlyMap<string, string>): HostAddress[] {
  const fromParams = params.get('host');
  const hosts =
    fromParams === undefined
      ? authority.split(',').map(parseHost)
      : fromParams.split(',').map((host) => ({ host: host === '' ? 'localhost' : host, port: 5432 }));
  const ports = params.get('port')?.split(',');
  if (ports === undefined) return hosts;
  if (ports.length !== 1 && ports.length !== hosts.length)
    throw wrong('port', 'there must be one port, or one per host');
  return hosts.map((each, index) => ({ ...each, port: parsePort(ports[index] ?? ports[0] ?? '') }));
}

function parseParams(query: string): Map<string, string> {
  const params = new Map<string, string>();
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 0) throw wrong('parameters', `"${decoded('parameters', pair)}" has no value`);
    const name = decoded('parameters', pair.slice(0, equals));
    params.set(name, decoded(name, pair.slice(equals + 1)));
  }
  return params;
}

function parseChannelBinding(text: string | undefined): ConnectionUri['channelBinding'] {
  const wanted = oneOf('channel_binding', ['disable', 'prefer', 'require'], text ?? 'prefer');
  // The driver takes what the server offers; to demand more and get less in silence would be worse than to say so.
  if (wanted === 'require')
    throw wrong(
      'channel_binding',
      '"require" is not supported; leave it out (it is used where the server offers it) and use sslmode=verify-full',
    );
  return wanted;
}

function parseConnectTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw wrong('connect_timeout', `"${text}" is not a number of seconds`);
  const seconds = Number(text);
  return seconds === 0 ? undefined : Math.max(seconds, 2) * 1000;
}

/**
 * Takes a libpq connection URI apart, with libpq's meanings (PostgreSQL manual 33.1.1.2), several hosts included. Pure.
 * Parameters that mean nothing to us are ignored, as nothing but application_name may reach pgBouncer's startup packet.
 * Throws `config-invalid` that names the wrong part and never repeats the password.
 */
export function parseConnectionUri(uri: string): ConnectionUri {
  const scheme = /^([a-z0-9+.-]*):\/\//i.exec(uri)?.[1];
  if (scheme !== 'postgresql' && scheme !== 'postgres') throw wrong('scheme', 'must begin with postgresql://');
  const rest = uri.slice(scheme.length + 3);
  const question = rest.indexOf('?');
  const params = parseParams(question < 0 ? '' : rest.slice(question + 1));
  const beforeQuery = question < 0 ? rest : rest.slice(0, question);
  // libpq: user and password end at the first "@" before any "/"; so a "/" in a password must be %2F
  const at = beforeQuery.indexOf('@');
  const slashBefore = beforeQuery.indexOf('/');
  const hasUser = at >= 0 && (slashBefore < 0 || at < slashBefore);
  if (at >= 0 && !hasUser) throw wrong('user or password', 'contains "/", which must be written as %2F');
  const [userText = '', ...passwordTexts] = hasUser ? beforeQuery.slice(0, at).split(':') : [];
  const location = hasUser ? beforeQuery.slice(at + 1) : beforeQuery;
  const slash = location.indexOf('/');
  const path = slash < 0 ? '' : location.slice(slash + 1);
  const sslMode = oneOf('sslmode', SSL_MODES, params.get('sslmode') ?? 'prefer');
  const passwordInUri = passwordTexts.length > 0 ? decoded('password', passwordTexts.join(':')) : undefined;
  const parsed: ConnectionUri = {
    hosts: hostsFrom(slash < 0 ? location : location.slice(0, slash), params),
    user: params.get('user') ?? (decoded('user', userText) || undefined),
    password: params.get('password') ?? passwordInUri,
    database: params.get('dbname') ?? (decoded('database', path) || undefined),
    sslMode: sslMode === 'allow' ? 'prefer' : sslMode,
    sslRootCert: params.get('sslrootcert') || undefined,
    sslCert: params.get('sslcert') || undefined,
    sslKey: params.get('sslkey') || undefined,
    targetSessionAttrs: oneOf('target_session_attrs', TARGETS, params.get('target_session_attrs') ?? 'any'),
    channelBinding: parseChannelBinding(params.get('channel_binding')),
    connectTimeoutMs: parseConnectTimeout(params.get('connect_timeout')),
    applicationName: params.get('application_name') || undefined,
  };
  if ((parsed.sslCert === undefined) !== (parsed.sslKey === undefined)) {
    throw wrong('sslcert', 'sslcert and sslkey belong together; one of them is missing');
  }
  return parsed;
}

function readPem(part: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw wrong(part, `the file ${path} cannot be read`);
  }
}

/**
 * TLS options for node:tls with libpq's meanings, or false for none. `require` and `prefer` encrypt without checking the
 * server, except that `require` with sslrootcert checks the chain (as libpq does); `verify-ca` checks the chain,
 * `verify-full` the host name too. Reads the certificate files; throws `config-invalid` naming the one that is wrong.
 */
export function tlsOptions(uri: ConnectionUri, host: string): false | ConnectionOptions {
  if (uri.sslMode === 'disable' || host.startsWith('/')) return false;
  const ca = uri.sslRootCert === 'system' ? undefined : readPem('sslrootcert', uri.sslRootCert);
  const cert = readPem('sslcert', uri.sslCert);
  const key = readPem('sslkey', uri.sslKey);
  const checksChain = uri.sslMode.startsWith('verify') || (uri.sslMode === 'require' && ca !== undefined);
  return {
    rejectUnauthorized: checksChain,
    ...(uri.sslMode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
