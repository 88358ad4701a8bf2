import { describe, expect, it } from 'vitest';
import type { Service } from '../../../agent/runtime/service.ts';
import { Together } from '../../../agent/runtime/together.ts';

/** Services that note what becomes of them; a stop ends when the test lets it. */
function scene(names: readonly string[]) {
  const told: string[] = [];
  const gates = new Map(names.map((name) => [name, Promise.withResolvers<void>()]));
  const parts = names.map(
    (name): Service => ({
      start: async () => void told.push(`start ${name}`),
      stop: async () => {
        told.push(`stop ${name}`);
        await gates.get(name)?.promise;
      },
    }),
  );
  return { told, parts, gate: (name: string) => gates.get(name) };
}

describe('services together', () => {
  it('are all told to stop at once, although the first of them never lets go', async () => {
    const { told, parts } = scene(['jobs', 'leadership']);
    const together = new Together(parts);
    await together.start();
    void together.stop();
    expect(told).toEqual(['start jobs', 'start leadership', 'stop jobs', 'stop leadership']);
  });

  it('have stopped only when the last of them has, also when one fails', async () => {
    const { parts, gate } = scene(['jobs', 'leadership']);
    let isOver = false;
    const over = new Together(parts).stop().finally(() => {
      isOver = true;
    });
    gate('jobs')?.reject(new Error('the database is away'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isOver).toBe(false);
    gate('leadership')?.resolve();
    await expect(over).rejects.toThrow('the database is away');
  });

  it('are stopped again when one of them does not start', async () => {
    const { told, parts, gate } = scene(['jobs']);
    const broken: Service = {
      start: () => Promise.reject(new Error('no port')),
      stop: async () => void told.push('stop broken'),
    };
    gate('jobs')?.resolve();
    await expect(new Together([...parts, broken]).start()).rejects.toThrow('no port');
    expect(told).toEqual(['start jobs', 'stop jobs', 'stop broken']);
  });
});
