import { describe, expect, it } from 'vitest';
import { serviceChangeProblems } from '../../../agent/contract/index.ts';

const now = new Map([
  ['iconik-url', 'https://app.iconik.io/'],
  ['auth-token', 'secret'],
  ['ffmpeg-path', '/usr/bin/ffmpeg'],
]);

describe('a change of the service’s config.ini by its users', () => {
  it('may not name programs or files of the service', () => {
    expect(serviceChangeProblems({ 'ffmpeg-path': '/tmp/mine' }, now)).toHaveLength(1);
    expect(serviceChangeProblems({ 'ffmpeg-path': null, 'data-dir': '/tmp' }, now)).toHaveLength(2);
    expect(serviceChangeProblems({ 'ffmpeg-path': '/usr/bin/ffmpeg' }, now)).toEqual([]);
  });

  it('may not send the token elsewhere unless it is typed with it', () => {
    expect(serviceChangeProblems({ 'iconik-url': 'https://evil.example/' }, now)).toHaveLength(1);
    expect(serviceChangeProblems({ 'https-proxy': 'http://evil.example/' }, now)).toHaveLength(1);
    expect(serviceChangeProblems({ 'iconik-url': 'https://eu.iconik.io/', 'auth-token': 'typed' }, now)).toEqual([]);
    expect(serviceChangeProblems({ 'iconik-url': 'https://evil.example/', 'auth-token': null }, now)).toHaveLength(1);
  });

  it('may be any other', () => {
    expect(serviceChangeProblems({ 'log-level': 'debug', 'app-id': 'x', 'auth-token': 'new' }, now)).toEqual([]);
  });
});
