import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConnectionUri, tlsOptions } from '../../../agent/db/connection-uri.ts';

describe('parseConnectionUri', () => {
  it('reads every part', () => {
    const uri =
      'postgresql://is%40g:p%3Ass@db-1:6432,db-2/isg_db?sslmode=verify-full&sslrootcert=/ca.pem&target_session_attrs=read-write&connect_timeout=7&application_name=x%20y';
    expect(parseConnectionUri(uri)).toEqual({
      hosts: [
        { host: 'db-1', port: 6432 },
        { host: 'db-2', port: 5432 },
      ],
      user: 'is@g',
      password: 'p:ss',
      database: 'isg_db',
      sslMode: 'verify-full',
      sslRootCert: '/ca.pem',
      sslCert: undefined,
      sslKey: undefined,
      targetSessionAttrs: 'read-write',
      channelBinding: 'prefer',
      connectTimeoutMs: 7000,
      applicationName: 'x y',
    });
  });

  it.each([
    [
      'postgres://',
      { hosts: [{ host: 'localhost', port: 5432 }], user: undefined, database: undefined, sslMode: 'prefer' },
    ],
    ['postgresql://u@[::1]:6432/d', { hosts: [{ host: '::1', port: 6432 }], user: 'u' }],
    ['postgresql:///d?host=/run/pg&port=7', { hosts: [{ host: '/run/pg', port: 7 }], database: 'd' }],
    ['postgresql://%2Frun%2Fpg/d', { hosts: [{ host: '/run/pg', port: 5432 }] }],
    [
      'postgresql://a,b/d?port=1,2',
      {
        hosts: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
    ['postgresql://h/d?user=u&password=p&connect_timeout=0', { user: 'u', password: 'p', connectTimeoutMs: undefined }],
    ['postgresql://h/d?sslmode=allow&unheard_of=1', { sslMode: 'prefer', channelBinding: 'prefer' }],
    ['postgresql://h/d?channel_binding=disable', { channelBinding: 'disable' }],
  ])('reads %s', (uri, parts) => {
    expect(parseConnectionUri(uri)).toMatchObject(parts);
  });

  it.each([
    ['mysql://h/d', 'scheme'],
    ['h/d', 'scheme'],
    ['postgresql://h:99999/d', 'port'],
    ['postgresql://h:x/d', 'port'],
    ['postgresql://u:hunter22@x@h/d', 'host'],
    ['postgresql://u:hunter/22@h/d', 'user or password'],
    ['postgresql://u:hunter%zz22@h/d', 'password'],
    ['postgresql://::1/d', 'host'],
    ['postgresql://h/d?sslmode=yes', 'sslmode'],
    ['postgresql://h/d?target_session_attrs=any-old', 'target_session_attrs'],
    ['postgresql://h/d?connect_timeout=soon', 'connect_timeout'],
    ['postgresql://h/d?channel_binding=require', 'channel_binding'],
    ['postgresql://h/d?sslcert=/c.pem', 'sslcert'],
    ['postgresql://a,b,c/d?port=1,2', 'port'],
    ['postgresql://h/d?sslmode', 'parameters'],
  ])('refuses %s and names the wrong part', (uri, part) => {
    const parse = () => parseConnectionUri(uri);
    expect(parse).toThrow(expect.objectContaining({ code: 'config-invalid', fields: { part } }));
    expect(parse).not.toThrow(/hunter/);
  });

  it('gives back any user, password and database that were percent-encoded', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' });
    fc.assert(
      fc.property(text, text, text, (user, password, database) => {
        const [u, p, d] = [user, password, database].map(encodeURIComponent);
        expect(parseConnectionUri(`postgresql://${u}:${p}@h/${d}`)).toMatchObject({ user, password, database });
      }),
    );
  });
});

describe('tlsOptions', () => {
  const options = (mode: string, host = 'h') =>
    tlsOptions(parseConnectionUri(`postgresql://h/d?sslmode=${mode}`), host);

  it('follows libpq: only verify-ca and verify-full check the certificate, only verify-full the name', () => {
    expect(options('disable')).toBe(false);
    expect(options('require', '/run/pg')).toBe(false);
    expect(options('prefer')).toMatchObject({ rejectUnauthorized: false });
    expect(options('require')).toMatchObject({ rejectUnauthorized: false });
    expect(options('verify-ca')).toMatchObject({ rejectUnauthorized: true, checkServerIdentity: expect.any(Function) });
    expect(options('verify-full')).toEqual({ rejectUnauthorized: true });
  });

  it('names the certificate file that cannot be read', () => {
    const uri = parseConnectionUri('postgresql://h/d?sslmode=verify-ca&sslrootcert=/no/such/ca.pem');
    expect(() => tlsOptions(uri, 'h')).toThrow(/sslrootcert: the file \/no\/such\/ca.pem/);
  });
});
