import { expect, it } from 'vitest';
import { LINK_PROTOCOL, type ToAgent } from '../../../agent/contract/index.ts';
import { createAgentHost } from '../../../main/agent-host/agent-host.ts';
import type { AgentProcessEvents, AgentProcessRequest } from '../../../main/agent-host/agent-process.ts';

const TOKEN = 'hunter22';

/** A host whose agent is a list of what it was given. */
function start(token: string | null | undefined) {
  const sent: ToAgent[] = [];
  const warnings: string[] = [];
  let request: AgentProcessRequest | undefined;
  let events: AgentProcessEvents | undefined;
  const host = createAgentHost({
    spawn: (given, heard) => {
      request = given;
      events = heard;
      const end = () => heard.exited({ code: 0, signal: null, isCodeCertain: true, startError: null });
      return { pid: 1, send: (message) => sent.push(message), terminate: end, kill: end };
    },
    entry: 'agent.js',
    configPath: '/c.ini',
    dataDir: '/data',
    // no socket can be made there: the link alone is asked about here
    temporaryFolder: '/nowhere',
    environment: {},
    ...(token === undefined ? {} : { keptToken: { has: () => true, read: () => token } }),
    log: { info: () => undefined, warn: (words) => warnings.push(words) },
    onState: () => undefined,
    onSnapshot: () => undefined,
    onLogLines: () => undefined,
    onOutput: () => undefined,
  });
  host.start();
  const hello = () => events?.message({ type: 'hello', protocol: LINK_PROTOCOL, version: '1', pid: 1 });
  const end = async () => {
    const stopped = host.stop();
    events?.exited({ code: 0, signal: null, isCodeCertain: true, startError: null });
    await stopped;
  };
  return { sent, warnings, request: () => request, hello, end };
}
const tokens = (sent: readonly ToAgent[]) => sent.filter(({ type }) => type === 'token');

it('a kept token goes to the agent over the link after its hello, and neither into arguments nor environment', async () => {
  const { sent, request, hello, end } = start(TOKEN);
  expect(request()?.args).toContain('--token-by-parent');
  expect(JSON.stringify(request())).not.toContain(TOKEN);
  expect(tokens(sent)).toEqual([]);
  hello();
  expect(tokens(sent)).toEqual([{ type: 'token', token: TOKEN }]);
  await end();
});

it('an agent is told at once that a kept token cannot be read, so that it does not wait for it', async () => {
  const { sent, warnings, hello, end } = start(null);
  hello();
  expect(tokens(sent)).toEqual([{ type: 'token', token: null }]);
  expect(warnings.join()).toContain('key store cannot be read');
  await end();
});

it('without a kept token nothing is announced or sent', async () => {
  const { sent, request, hello, end } = start(undefined);
  hello();
  expect(request()?.args).not.toContain('--token-by-parent');
  expect(tokens(sent)).toEqual([]);
  await end();
});
