import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ThreadHost } from '../../../../agent/cluster/pulse/thread-host.ts';
import { silentLogger } from '../../../../agent/runtime/logger.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A thread that answers what it is asked, and says else only what the test lets it say. */
class SilentThread extends EventEmitter {
  postMessage({ callId }: { callId?: number }): void {
    if (callId !== undefined) this.emit('message', { kind: 'answer', callId, value: null });
  }
  unref(): void {}
  async terminate(): Promise<number> {
    this.emit('exit', 1);
    return 1;
  }
}

const DATA = {
  uri: '',
  self: { workerId: 'w', runId: 'r', name: 'n' },
  times: { ttlMs: 3_000, renewMs: 750, marginMs: 750 },
  beatMs: 1_000,
};

function hostOf(threads: SilentThread[]) {
  const told: string[] = [];
  const startThread = () => {
    const thread = new SilentThread();
    threads.push(thread);
    return thread;
  };
  const host = new ThreadHost(DATA, silentLogger, startThread);
  host.listen({ up: () => told.push('up'), down: () => told.push('down'), message: () => {} });
  return { host, told };
}

it('a thread that does not come up within 15 s is replaced, and the next one is used', async () => {
  const threads: SilentThread[] = [];
  const { host, told } = hostOf(threads);
  host.start();
  await vi.advanceTimersByTimeAsync(14_500);
  expect([threads.length, told]).toEqual([1, []]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([threads.length, told]).toEqual([2, ['down']]);
  threads[1]?.emit('message', { kind: 'ready' });
  expect(told).toEqual(['down', 'up']);
  await host.stop();
});

it('a message of the thread that makes no sense is left out and ends nothing', async () => {
  const threads: SilentThread[] = [];
  const { host, told } = hostOf(threads);
  host.start();
  threads[0]?.emit('message', { kind: 'lease', holdId: Number.NaN, news: 'lost' });
  threads[0]?.emit('message', { kind: 'ready' });
  expect(told).toEqual(['up']);
  await host.stop();
});
