import { describe, expect, it } from 'vitest';
import { breaksConnection, classifyPgError } from '../../../agent/db/pg-errors.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';

const server = (code: string, message = 'words of the server') =>
  Object.assign(new Error(message), { code, severity: 'ERROR', detail: 'Key (md5)=(secret) exists' });
const network = (code: string) => Object.assign(new Error('words of the system'), { code });

describe('classifyPgError', () => {
  it.each([
    ['28P01', 'database-refused', 'permanent', /password/],
    ['42501', 'database-refused', 'permanent', /lacks a right/],
    ['42P01', 'database-refused', 'permanent', /table is missing/],
    ['3D000', 'database-refused', 'permanent', /does not exist/],
    ['25006', 'database-refused', 'transient', /read-only/],
    ['53100', 'database-refused', 'transient', /full/],
    ['40001', 'database-conflict', 'transient', /rolled back/],
    ['40P01', 'database-conflict', 'transient', /waited for each other/],
    ['55P03', 'database-conflict', 'transient', /locked/],
    ['57014', 'database-conflict', 'transient', /longer than allowed/],
    ['23505', 'database-conflict', 'permanent', /exists already/],
    ['53300', 'database-unreachable', 'transient', /no free connection/],
    ['57P01', 'database-unreachable', 'transient', /ended the connection/],
    ['57P03', 'database-unreachable', 'transient', /starting up/],
    ['22012', 'database-refused', 'permanent', /refused a statement/],
  ])('SQLSTATE %s is %s, %s', (state, code, retry, words) => {
    const error = classifyPgError(server(state), 'inside');
    expect(error).toMatchObject({ code, retry, fields: { sqlState: state } });
    expect(error.message).toMatch(words);
    expect(error.message).not.toContain('secret');
  });

  it.each([
    ['password authentication failed', 'database-refused', 'permanent'],
    ['SASL authentication failed', 'database-refused', 'permanent'],
    ['unsupported startup parameter: options', 'database-refused', 'permanent'],
    ['no more connections allowed (max_client_conn)', 'database-unreachable', 'transient'],
    ['query_wait_timeout', 'database-unreachable', 'transient'],
    ['server conn crashed?', 'database-unreachable', 'transient'],
  ])('pgBouncer’s 08P01 "%s" is %s', (text, code, retry) => {
    expect(classifyPgError(server('08P01', text), 'connect')).toMatchObject({ code, retry });
  });

  it('doubts the effect of what was asked and not answered, but not of what could only be rolled back', () => {
    const lost = network('ECONNRESET');
    expect(classifyPgError(lost, 'commit').fields.inDoubt).toBe(true);
    expect(classifyPgError(lost, 'statement').fields.inDoubt).toBe(true);
    expect(classifyPgError(lost, 'inside').fields.inDoubt).toBeUndefined();
    expect(classifyPgError(lost, 'connect').fields.inDoubt).toBeUndefined();
    expect(classifyPgError(server('40001'), 'commit').fields.inDoubt).toBeUndefined();
    expect(classifyPgError(server('57P01'), 'commit').fields.inDoubt).toBe(true);
  });

  it.each([
    ['ECONNREFUSED', /Nothing listens/],
    ['ENOTFOUND', /cannot be resolved/],
    ['ETIMEDOUT', /did not answer in time/],
  ])('network error %s is transient, in words', (code, words) => {
    const error = classifyPgError(network(code), 'connect');
    expect(error).toMatchObject({ code: 'database-unreachable', retry: 'transient' });
    expect(error.message).toMatch(words);
  });

  it('points to the sslmode settings for certificate trouble', () => {
    for (const code of [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'CERT_HAS_EXPIRED',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ]) {
      const error = classifyPgError(network(code), 'connect');
      expect(error).toMatchObject({ code: 'database-refused', retry: 'permanent' });
      expect(error.message).toMatch(/sslrootcert/);
    }
  });

  it('classifies once: what is ours passes through', () => {
    const ours = new IsgError('other-cluster', 'no', { retry: 'permanent' });
    expect(classifyPgError(ours, 'commit')).toBe(ours);
  });

  it('keeps a connection only after an answer of the server', () => {
    expect(breaksConnection(classifyPgError(server('23505'), 'statement'))).toBe(false);
    expect(breaksConnection(classifyPgError(server('57P01'), 'statement'))).toBe(true);
    expect(breaksConnection(classifyPgError(network('ECONNRESET'), 'statement'))).toBe(true);
  });
});
