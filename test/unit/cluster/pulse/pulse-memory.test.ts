import { describe, expect, it } from 'vitest';
import { PulseMemory } from '../../../../agent/cluster/pulse/pulse-memory.ts';

describe('the shared memory of main loop and renewal thread', () => {
  it('gives a confirmed renewal only to the term it belongs to', () => {
    const memory = new PulseMemory();
    memory.confirmLease(3, 1_000);
    expect(new PulseMemory(memory.buffer).confirmedMs(3)).toBe(1_000);
    memory.confirmLease(4, 500);
    expect(memory.confirmedMs(3)).toBeNull();
    expect(memory.confirmedMs(4)).toBe(500);
  });

  it('never takes a confirmation back for an older answer that comes late', () => {
    const memory = new PulseMemory();
    memory.confirmLease(3, 1_000);
    memory.confirmLease(3, 400);
    expect(memory.confirmedMs(3)).toBe(1_000);
  });

  it('rounds times down, so that trust never lasts longer than the database gave it', () => {
    const memory = new PulseMemory();
    memory.confirmLease(1, 1_000.000_9);
    expect(memory.confirmedMs(1)).toBe(1_000);
  });

  it('knows no heartbeat before the first', () => {
    const memory = new PulseMemory();
    expect(memory.beatMs()).toBe(Number.NEGATIVE_INFINITY);
    memory.confirmBeat(5);
    expect(memory.beatMs()).toBe(5);
  });

  it('refuses one term without refusing the next', () => {
    const memory = new PulseMemory();
    memory.refuse(2);
    expect([memory.isRefused(2), memory.isRefused(3)]).toEqual([true, false]);
  });
});
