import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeLine, LINK_PROTOCOL } from '../../../agent/contract/index.ts';
import { ServiceLink } from '../../../agent/link/service-link.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { nodeAdapter } from '../../../main/agent-host/node-adapter.ts';
import { createNodeHost, type NodeHost } from '../../../main/agent-host/node-host.ts';
import { isServiceHere } from '../../../main/agent-host/service-adapter.ts';
import type { AgentState } from '../../../preload/contract/app-state.ts';
import { isAlive } from './host-bench.ts';

/** A host over a real socket, with a scripted agent of its own, and the agent's side of the link in this process. */

const FAKE_AGENT = fileURLToPath(new URL('../../fixtures/fake-agent.mjs', import.meta.url));
const OFTEN = { timeout: 45_000, interval: 10 };

let dir = '';
let socketPath = '';
let host: NodeHost;
let isInstalled = false;
let isFreeForAll = false;
const place = { looks: 0 };
let pids: number[] = [];
const states: AgentState[] = [];
const closing: (() => unknown)[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-node-host-'));
  socketPath = join(dir, 'run', 'agent.sock');
  mkdirSync(join(dir, 'run'), { mode: 0o750 });
  writeFileSync(join(dir, 'config.ini'), 'healthy');
  isInstalled = false;
  isFreeForAll = false;
  pids = [];
  states.length = 0;
  const spawn = nodeAdapter(process.execPath);
  host = createNodeHost({
    spawn: (request, events) => {
      const child = spawn(request, events);
      pids.push(child.pid ?? 0);
      return child;
    },
    entry: FAKE_AGENT,
    configPath: join(dir, 'config.ini'),
    dataDir: dir,
    temporaryFolder: dir,
    environment: process.env,
    log: { info: () => {}, warn: () => {} },
    onState: (state) => void states.push(state),
    onSnapshot: () => {},
    onLogLines: () => {},
    onOutput: () => {},
    service: {
      socketPath,
      isInstalled: () => {
        place.looks += 1;
        return isInstalled;
      },
      get isFreeForAll() {
        return isFreeForAll;
      },
    },
    version: '1.0.0',
  });
  closing.push(() => host.stop());
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(dir, { recursive: true, force: true });
});

async function serve(): Promise<ServiceLink> {
  const link = new ServiceLink({ version: '1.0.0' });
  closing.push(() => link.close());
  link.serve({ 'node.pause': async () => ({}) });
  await link.listen(socketPath, silentLogger);
  return link;
}

const standing = () => host.state().service?.at ?? `own ${host.state().state}`;

describe('the host of a node', { timeout: 150_000 }, () => {
  it('ends its own agent when a service appears, attaches, calls through it, and leaves it when it stops', async () => {
    host.start();
    await expect.poll(standing, OFTEN).toBe('own running');
    const link = await serve();
    await expect.poll(standing, OFTEN).toBe('attached');
    expect(host.isService()).toBe(true);
    expect(await host.call('node.pause', {})).toEqual({});
    await expect.poll(() => pids.map(isAlive), OFTEN).toEqual([false]);
    await host.stop();
    expect(pids).toHaveLength(1);
    link.sendLog([]);
  });

  it('starts nothing while an installed service is away, and attaches when it comes', async () => {
    isInstalled = true;
    host.start();
    await expect.poll(standing, OFTEN).toBe('not-running');
    expect(host.state().nextStartMs).not.toBeNull();
    await expect(host.call('node.pause', {})).rejects.toMatchObject({ code: 'agent-unavailable' });
    const link = await serve();
    await expect.poll(standing, OFTEN).toBe('attached');
    link.close();
    await expect.poll(standing, OFTEN).toBe('not-running');
    expect(pids).toEqual([]);
    isInstalled = false;
    await expect.poll(standing, OFTEN).toBe('removed');
    host.restart();
    await expect.poll(standing, OFTEN).toBe('own running');
  });

  it('believes nobody at a place that is free for all while no service is installed, and keeps its own agent', async () => {
    isFreeForAll = true;
    let visits = 0;
    const thief = createServer((socket) => {
      visits += 1;
      socket.on('error', () => undefined);
      socket.write(encodeLine({ type: 'hello', protocol: LINK_PROTOCOL, version: '1.0.0', pid: 1 }));
    });
    await new Promise<void>((resolve) => thief.listen(socketPath, resolve));
    closing.push(() => thief.close());
    expect(await isServiceHere({ socketPath, isInstalled: () => isInstalled, isFreeForAll })).toBe(false);
    host.start();
    await expect.poll(standing, OFTEN).toBe('own running');
    // the first look after the start, and one more
    const looks = () => place.looks;
    const before = looks();
    await expect.poll(looks, OFTEN).toBeGreaterThan(before + 1);
    expect([visits, standing(), pids.map(isAlive)]).toEqual([0, 'own running', [true]]);
    isInstalled = true;
    await expect.poll(standing, OFTEN).toBe('attached');
  });

  it('starts nothing beside a service of another protocol, and says which versions they are', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write(encodeLine({ type: 'hello', protocol: 99, version: '9.9.9', pid: 1 }));
    });
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    closing.push(() => server.close());
    host.start();
    await expect.poll(standing, OFTEN).toBe('other-version');
    expect(host.state().reason).toContain('The service is version 9.9.9 (protocol 99)');
    expect(pids).toEqual([]);
  });
});
