import { describe, expect, it } from 'vitest';
import { addressKind, isOutOfReach } from '../../../agent/runtime/outbound-address.ts';

describe('an address', () => {
  it.each([
    ['8.8.8.8', 'outer'],
    ['172.15.0.1', 'outer'],
    ['172.16.0.1', 'inner'],
    ['10.0.0.1', 'inner'],
    ['192.168.1.1', 'inner'],
    ['127.8.9.1', 'inner'],
    ['100.64.0.1', 'inner'],
    ['169.254.169.254', 'never'],
    ['0.0.0.0', 'never'],
    ['0.1.2.3', 'never'],
    ['224.0.0.1', 'never'],
    ['255.255.255.255', 'never'],
    ['::', 'never'],
    ['::1', 'inner'],
    ['fc00::1', 'inner'],
    ['fdff::1', 'inner'],
    ['fe80::1', 'never'],
    ['fe80::1%eth0', 'never'],
    ['ff02::1', 'never'],
    ['2001:4860:4860::8888', 'outer'],
    ['::ffff:127.0.0.1', 'inner'],
    ['::ffff:7f00:1', 'inner'],
    ['::ffff:169.254.169.254', 'never'],
    ['::ffff:8.8.8.8', 'outer'],
    ['::127.0.0.1', 'inner'],
    ['64:ff9b::a9fe:a9fe', 'never'],
    ['64:ff9b::808:808', 'outer'],
    ['2002:7f00:1::', 'inner'],
    ['2002:a9fe:a9fe::1', 'never'],
    ['no address', 'never'],
  ])('%s is %s', (address, kind) => {
    expect(addressKind(address)).toBe(kind);
  });
});

describe('a URL', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://2852039166/',
    'http://0xa9fea9fe/',
    'http://0251.0376.0251.0376/',
    'http://169.254.43518/',
    'http://0/',
    'http://0.0.0.0:9000/',
    'http://[::]/',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[::ffff:a9fe:a9fe]/',
    'https://169。254。169。254/',
  ])('%s names an address that is never connected to, however it is written', (url) => {
    expect(isOutOfReach(new URL(url))).toBe(true);
  });

  it.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://0x7f.1/',
    'http://10.1/',
    'http://[::1]/',
    'http://[fc00::7]/',
    'http://[::ffff:127.0.0.1]/',
  ])('%s is reached as named, and not where a server of the internet points', (url) => {
    expect(isOutOfReach(new URL(url))).toBe(false);
    expect(isOutOfReach(new URL(url), 'outer')).toBe(true);
  });

  it('of a name is judged when the name is looked up', () => {
    expect(isOutOfReach(new URL('https://store.example/'), 'outer')).toBe(false);
  });
});
