import { describe, expect, it } from 'vitest';
import { childEnvironment } from '../../../main/agent-host/child-environment.ts';

describe('the environment of the agent', () => {
  it('passes what finding programs, language and proxies need', () => {
    const own = {
      PATH: '/bin',
      HOME: '/h',
      LC_CTYPE: 'C.UTF-8',
      https_proxy: 'http://p:1',
      NO_PROXY: 'a',
      TMPDIR: '/t',
    };
    expect(childEnvironment(own, 'linux')).toEqual(own);
  });

  it('keeps out what steers the runtime, secrets of other programs, and our own', () => {
    const own = {
      NODE_OPTIONS: '--require x',
      ELECTRON_RUN_AS_NODE: '1',
      LD_PRELOAD: 'x.so',
      DYLD_INSERT_LIBRARIES: 'x',
      AWS_SECRET_ACCESS_KEY: 'k',
      ISG_PRO_AGENT_NODE: '/n',
      ISG_AUTH_TOKEN: 't',
      path: 'not ours on POSIX',
      EMPTY: undefined,
    };
    expect(childEnvironment(own, 'linux')).toEqual({});
  });

  it('on Windows ignores the case of names and passes what sockets need', () => {
    const own = { Path: 'C:\\', SystemRoot: 'C:\\Windows', 'ProgramFiles(x86)': 'p', lc_all: 'C', Node_Options: 'x' };
    expect(Object.keys(childEnvironment(own, 'win32'))).toEqual(['Path', 'SystemRoot', 'ProgramFiles(x86)', 'lc_all']);
  });
});
