import { describe, expect, it } from 'vitest';
import {
  createTextRedactor,
  redactConfig,
  secretParts,
  secretsOfConfig,
} from '../../../agent/doctor/support-bundle/redact-text.ts';

const redactUnknown = createTextRedactor([]);

describe('a known secret', () => {
  const redact = createTextRedactor(secretParts('postgresql://isg:p%40ss"word@db:5432/isg'));
  it.each([
    ['as it is', 'uri postgresql://isg:p%40ss"word@db:5432/isg used'],
    ['its password alone', 'password "p%40ss"word" refused'],
    ['its password decoded', 'said p@ss"word to the server'],
    ['its password inside JSON', JSON.stringify({ why: 'said p@ss"word' })],
    ['its password percent-encoded', `said ${encodeURIComponent('p@ss"word')}`],
  ])('goes %s', (_, line) => {
    expect(redact(line)).toContain('***');
    expect(redact(line)).not.toMatch(/ss\\?"word|ss%22word/);
  });

  it('of three characters is a word that occurs by chance, and stays', () => {
    expect(createTextRedactor(['abc'])('abc is a name')).toBe('abc is a name');
  });
});

describe('an unknown secret goes by its form:', () => {
  it.each([
    ['user and password of an address', 'postgresql://isg:hunter2@db/isg', 'postgresql://***@db/isg'],
    ['those of a proxy', 'via http://me:hunter2@proxy:3128 now', 'via http://***@proxy:3128 now'],
    ['a signed address', 'PUT https://s3/b/k?X-Amz-Signature=hunter2&x=1 failed', 'PUT https://s3/b/k?*** failed'],
    ['a part of one', 'cut: X-Amz-Credential=hunter2&next', 'cut: X-Amz-Credential=***&next'],
    ['an Azure signature', 'sv=2020&sig=hunter2%3D', 'sv=2020&sig=***'],
    ['a header', 'Auth-Token: hunter2', 'Auth-Token: ***'],
    ['a bearer', 'authorization: Bearer hunter2.abc', 'authorization: ***'],
    ['a field', '{"authToken":"hunter2","ok":1}', '{"authToken":"***","ok":1}'],
    ['a field inside a text', '{"body":"{\\"password\\":\\"hunter2\\"}"}', '{"body":"{\\"password\\":\\"***\\"}"}'],
    ['a libpq word', 'host=db password=hunter2 user=isg', 'host=db password=*** user=isg'],
    ['a signed token', 'x eyJhbGciOi.eyJzdWIiOiIx.hunter2-abcdefg y', 'x *** y'],
    ['a private key', '-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----', '***'],
  ])('%s', (_, line, clean) => {
    expect(redactUnknown(line)).toBe(clean);
    expect(redactUnknown(clean)).toBe(clean);
  });

  it.each([
    'password authentication failed for user "isg"',
    'GET /API/files/v1/storage_gateways/3/?page=2 took 12 ms',
    'mail to post@example.com, see https://app.iconik.io/asset/1 and //nas/share@old',
    '2026-07-01T10:00:00.000Z INFO  lease renewed {"token":41,"term":7}',
  ])('nothing else: %s', (line) => {
    expect(redactUnknown(line)).toBe(line);
  });

  it('in time that grows with the text, not with its square', () => {
    const long = `${'a'.repeat(2_000_000)}://${'b'.repeat(2_000_000)} ${'eyJ'.repeat(200_000)}`;
    const startedMs = performance.now();
    redactUnknown(long);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});

describe('config.ini', () => {
  const text = [
    '\uFEFF[main]',
    'Auth_Token = "hunter2hunter2"',
    '; auth-token = oldsecret99',
    '# the token was hunter2hunter2 once',
    'db-connection-uri = postgresql://isg:s3cret-pw@db/isg',
    'https-proxy = http://me:proxypw1@proxy:3128',
    'some-future-token = futuresecret1',
    'iconik-url = https://app.iconik.io/',
    'what is this s3cretline',
  ].join('\r\n');

  it('keeps what is no secret, line by line', () => {
    const clean = redactConfig(text).split('\n');
    expect(clean).toHaveLength(9);
    expect(clean[7]).toBe('iconik-url = https://app.iconik.io/');
    expect(clean[1]).toBe('auth-token = ***');
    expect(clean[2]).toBe('; auth-token = ***');
    expect(clean[3]).toBe('# the token was *** once');
  });

  it('keeps no secret, known or not, set or not, nor a line that cannot be read', () => {
    expect(redactConfig(text)).not.toMatch(/hunter2|oldsecret|s3cret|proxypw|futuresecret/);
  });

  it('names its secrets, for the logs', () => {
    const secrets = secretsOfConfig(text);
    expect(secrets).toEqual(expect.arrayContaining(['hunter2hunter2', 's3cret-pw', 'proxypw1', 'futuresecret1']));
  });
});
