import { existsSync, statSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ServiceClient } from '../link/service-client.ts';
import { PrivateSystemd } from './private-systemd.ts';

/** A real systemd runs the unit that `--install-service` writes. Skipped, and shown so, where none can be started. */

const SOCKET = '/run/isg-pro/agent.sock';
const UNIT_FILE = '/etc/systemd/system/isg-pro.service';
/** An account and a group that every Linux has, and that may nothing. */
const ACCOUNT = ['--service-user', 'daemon', '--service-group', 'daemon'];

const FILES = ['--config', '/mnt/config/config.ini', '--data-dir', '/mnt/data'];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe('the unit under a real systemd', { timeout: 240_000 }, () => {
  it('starts the agent as its account, starts it anew when it is killed, and stops and goes with --uninstall-service', async (context) => {
    const systemd = await PrivateSystemd.boot();
    if (typeof systemd === 'string') return context.skip(systemd);
    closing.push(() => systemd.end());
    const order = (...args: string[]) => {
      const { status, stderr } = systemd.run('/mnt/node', '/mnt/app/agent/main.ts', ...args, ...FILES);
      return { status, stderr };
    };
    const show = (property: string) =>
      systemd.run('systemctl', 'show', 'isg-pro', '-p', property, '--value').stdout.trim();
    /** The process that says hello, by its number in there. */
    const answers = async (): Promise<string> => {
      await expect.poll(() => existsSync(systemd.path(SOCKET)), { timeout: 60_000 }).toBe(true);
      const client = await ServiceClient.open(systemd.path(SOCKET));
      closing.push(() => client.close());
      return String(client.ofType('hello')[0]?.pid);
    };

    expect(order('--install-service', ...ACCOUNT)).toEqual({ status: 0, stderr: '' });
    const first = await answers();
    expect(first).toBe(show('MainPID'));
    expect(systemd.run('ps', '-o', 'user=,group=', '-p', first).stdout.trim()).toMatch(/^daemon +daemon$/);
    expect((statSync(systemd.path('/run/isg-pro')).mode & 0o777).toString(8)).toBe('750');

    systemd.run('kill', '-KILL', first);
    await expect.poll(() => show('NRestarts'), { timeout: 60_000, interval: 250 }).toBe('1');
    await expect.poll(answers, { timeout: 60_000, interval: 250 }).not.toBe(first);
    expect(show('ActiveState')).toBe('active');

    expect(order('--uninstall-service')).toEqual({ status: 0, stderr: '' });
    expect([existsSync(systemd.path(UNIT_FILE)), existsSync(systemd.path(SOCKET))]).toEqual([false, false]);
    expect(systemd.run('systemctl', 'is-active', 'isg-pro').stdout.trim()).toBe('inactive');
  });
});
