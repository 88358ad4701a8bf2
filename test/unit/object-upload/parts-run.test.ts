import { describe, expect, it } from 'vitest';
import { planParts } from '../../../agent/iconik/object-upload/part-plan.ts';
import { type PartsDeps, runParts } from '../../../agent/iconik/object-upload/parts-run.ts';
import type { UploadObjectArgs } from '../../../agent/iconik/object-upload/upload-object.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { IsgError } from '../../../agent/runtime/errors.ts';

const deps: PartsDeps = { clock: systemClock, random: () => 0, attempts: 1, stallMs: 1_000, partsAtOnce: 2 };

/** Sends ten parts; `save` is asked for after each. */
async function send(save: () => Promise<void>): Promise<number[]> {
  const sent: number[] = [];
  const args = { sizeBytes: 10, signal: new AbortController().signal } as UploadObjectArgs;
  await runParts(deps, args, {
    parts: planParts(10, 1),
    save,
    saveEveryMs: 0,
    send: async ({ number }) => {
      sent.push(number);
      return 'sent';
    },
  });
  return sent;
}

describe('a round of parts', () => {
  it('goes on while the database is away, and saves again once it is back', async () => {
    let saves = 0;
    const sent = await send(async () => {
      saves += 1;
      if (saves < 4) throw new IsgError('database-unreachable', 'away', { retry: 'transient' });
    });
    expect(sent).toHaveLength(10);
    expect(saves).toBe(10);
  });

  it('ends at once when a save shows that the lease is lost', async () => {
    const lost = new IsgError('lease-lost', 'lost', { retry: 'transient' });
    await expect(send(() => Promise.reject(lost))).rejects.toBe(lost);
  });
});
