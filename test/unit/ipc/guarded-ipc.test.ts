import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { AgentCallName } from '../../../agent/contract/index.ts';
import { type MainCallHandlers, openGuardedIpc, type SenderFrame } from '../../../main/ipc/guarded-ipc.ts';
import { AppError } from '../../../main/support/app-error.ts';
import { CHANNELS } from '../../../preload/contract/bridge.ts';

type Listener = (event: { senderFrame: SenderFrame | null }, payload: unknown) => Promise<unknown>;

/** Electron's doorway, so far as it is used: what is registered can be called with any sender. */
const electron = vi.hoisted(() => ({ listeners: new Map<string, unknown>() }));
vi.mock('electron', () => ({
  ipcMain: { handle: (channel: string, listener: unknown) => electron.listeners.set(channel, listener) },
}));

const OURS: SenderFrame = { url: 'app://isg/index.html#/jobs', processId: 4, routingId: 1 };

function open(
  over: {
    relay?: (name: AgentCallName, params: unknown) => Promise<unknown>;
    handlers?: Partial<MainCallHandlers>;
  } = {},
) {
  const warnings: string[] = [];
  const errors: string[] = [];
  const unused = () => {
    throw new Error('not expected in this test');
  };
  const handlers: MainCallHandlers = {
    'app.state': unused,
    'app.open-log-folder': () => ({}),
    'app.copy-text': () => ({}),
    'app.export-text': () => ({ saved: true }),
    'app.choose-folder': () => ({ path: '/media' }),
    'app.run-check': () => ({}),
    'app.save-support-bundle': () => ({ path: null }),
    'app.cancel-support-bundle': () => ({}),
    'agent.restart': () => ({}),
    'app.check-for-update': () => ({}),
    'app.install-update': () => ({}),
    'app.postpone-update': () => ({}),
    'config.read': unused,
    'config.write': () => ({ problems: [], conflicts: [] }),
    'config.restore': () => ({}),
    'logs.read-files': () => ({ lines: [], nextCursor: null }),
    ...over.handlers,
  };
  openGuardedIpc({
    handlers,
    relay: over.relay ?? unused,
    trustedFrame: () => ({ ...OURS }),
    origin: 'app://isg/',
    log: {
      debug: () => {},
      info: () => {},
      warn: (message) => warnings.push(message),
      error: (message) => errors.push(message),
    },
  });
  const listener = electron.listeners.get(CHANNELS.call) as Listener;
  const call = (payload: unknown, senderFrame: SenderFrame | null = OURS) => listener({ senderFrame }, payload);
  return { call, warnings, errors };
}
const refused = { ok: false, error: { code: 'refused', retry: 'permanent' } };

beforeEach(() => electron.listeners.clear());

describe('a call is refused', () => {
  it.each<[string, SenderFrame | null]>([
    ['without a frame', null],
    ['from another page in the window', { ...OURS, url: 'https://example.com/index.html' }],
    ['from an address that only begins like ours', { ...OURS, url: 'app://isg.example.com/' }],
    ['from a frame inside the page', { ...OURS, routingId: 2 }],
    ['from another window', { ...OURS, processId: 9 }],
  ])('%s', async (_, frame) => {
    const { call, warnings } = open();
    expect(await call({ name: 'agent.restart', params: {} }, frame)).toMatchObject(refused);
    expect(warnings).toHaveLength(1);
  });

  it.each(['nope', '__proto__', 'constructor', 'toString', '', 'isg:call'])('when its name is %j', async (name) => {
    expect(await open().call({ name, params: {} })).toMatchObject(refused);
  });

  it.each([[undefined], [null], ['app.state'], [[]], [{ name: 7, params: {} }], [{ name: 'x'.repeat(101) }]])(
    'when its form is %j',
    async (payload) => {
      expect(await open().call(payload)).toMatchObject(refused);
    },
  );

  it('when it is larger than 25 MB, without looking further', async () => {
    const { call } = open();
    expect(await call({ name: 'app.copy-text', params: { text: 'x'.repeat(25_000_000) } })).toMatchObject(refused);
    expect(await call({ name: 'agent.restart', params: {}, more: 'x'.repeat(25_000_000) })).toMatchObject(refused);
  });

  it('when its parameters are wrong, and the words do not repeat them', async () => {
    const { call, warnings } = open();
    const answer = await call({ name: 'setup.look', params: { iconikUrl: 1, appId: 'a', authToken: ['hunter22'] } });
    expect(answer).toMatchObject(refused);
    expect(JSON.stringify(answer) + warnings.join()).not.toContain('hunter22');
    expect(JSON.stringify(answer)).toContain('authToken');
  });
});

describe('a call that passes', () => {
  it('gets the answer of main', async () => {
    expect(await open().call({ name: 'app.choose-folder', params: { title: 'Mount point' } })).toEqual({
      ok: true,
      value: { path: '/media' },
    });
  });

  it('reaches the agent with parsed parameters and nothing else', async () => {
    const seen: unknown[] = [];
    const { call } = open({
      relay: async (name, params) => {
        seen.push([name, params]);
        return {};
      },
    });
    expect(await call({ name: 'jobs.cancel', params: { jobId: 'j', smuggled: true } })).toEqual({
      ok: true,
      value: {},
    });
    expect(seen).toEqual([['jobs.cancel', { jobId: 'j' }]]);
  });

  it('gives back only what the contract names', async () => {
    const { call } = open({
      handlers: { 'app.choose-folder': () => ({ path: '/m', authToken: 'hunter22' }) as never },
    });
    const answer = await call({ name: 'app.choose-folder', params: { title: '' } });
    expect(answer).toEqual({ ok: true, value: { path: '/m' } });
  });

  it('keeps code, words and class of our own errors', async () => {
    const error = { code: 'agent-down', message: 'The agent is not running.', retry: 'transient' as const };
    const { call } = open({
      relay: async () => {
        throw new AppError(error.code, error.message, error.retry);
      },
    });
    expect(await call({ name: 'node.pause', params: {} })).toEqual({ ok: false, error });
  });

  it.each([
    ['a mistake', new Error('/home/ann/secret is not a function')],
    [
      'an error of the system',
      Object.assign(new Error('EACCES /home/ann/secret'), { code: 'EACCES', retry: 'transient' }),
    ],
    ['a thrown text', '/home/ann/secret'],
  ])('tells of %s only that it happened, and logs it', async (_, thrown) => {
    const { call, errors } = open({
      handlers: {
        'agent.restart': () => {
          throw thrown;
        },
      },
    });
    const answer = await call({ name: 'agent.restart', params: {} });
    expect(answer).toMatchObject({ ok: false, error: { code: 'unexpected', retry: 'transient' } });
    expect(JSON.stringify(answer)).not.toContain('secret');
    expect(errors).toHaveLength(1);
  });

  it('fails when the answer is not what the contract says', async () => {
    const { call } = open({ relay: async () => ({ rows: 'many' }) });
    const params = { roles: [], states: [], storageId: null, nodeName: null, text: '', cursor: null, limit: 10 };
    expect(await call({ name: 'jobs.list', params })).toMatchObject({ ok: false, error: { code: 'unexpected' } });
  });
});
