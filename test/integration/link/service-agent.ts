import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { AGENT } from './child-agent.ts';
import { ServiceClient } from './service-client.ts';

/** A real agent that runs as a system service, without parent, on a socket of its own. */
export class ServiceAgent {
  readonly dir: string;
  readonly socketPath: string;
  readonly configPath: string;
  process: ChildProcess | null = null;
  stderr = '';

  constructor(dir: string) {
    this.dir = dir;
    this.socketPath = join(dir, 'run', 'agent.sock');
    this.configPath = join(dir, 'config', 'config.ini');
    mkdirSync(join(dir, 'config'), { recursive: true });
  }

  start(...more: string[]): ChildProcess {
    const args = ['--service', '--service-socket', this.socketPath, '--config', this.configPath];
    const child = spawn(process.execPath, [AGENT, ...args, '--data-dir', join(this.dir, 'data'), ...more], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.process = child;
    child.stderr.on('data', (data: Buffer) => {
      this.stderr += data.toString('utf8');
    });
    return child;
  }

  /** A client of it, as soon as it listens. */
  async client(): Promise<ServiceClient> {
    const deadlineMs = performance.now() + 20_000;
    for (;;) {
      const client = new ServiceClient(this.socketPath);
      client.say({ type: 'beat' });
      await vi.waitUntil(() => client.isClosed || client.ofType('hello').length > 0, { timeout: 10_000, interval: 5 });
      if (!client.isClosed) return client;
      if (performance.now() > deadlineMs) throw new Error(`No service answers: ${client.error}\n${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Resident memory, bytes. */
  memory(): number {
    const status = readFileSync(`/proc/${this.process?.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
  }

  isAlive(): boolean {
    return this.process !== null && this.process.exitCode === null && this.process.signalCode === null;
  }

  async untilExit(): Promise<number | null> {
    if (this.process && this.isAlive()) await once(this.process, 'exit');
    return this.process?.exitCode ?? null;
  }

  async end(): Promise<void> {
    if (this.isAlive()) this.process?.kill('SIGKILL');
    await this.untilExit();
  }
}
