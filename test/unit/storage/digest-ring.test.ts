import { describe, expect, it } from 'vitest';
import { createRingMemory, DigestRing, PIECE_BYTES } from '../../../agent/storage/process/digest-ring.ts';

/** A writer's and a reader's view of one ring, in one thread: nothing here waits. */
function openRing() {
  const memory = createRingMemory();
  return { memory, writer: new DigestRing(memory), reader: new DigestRing(memory) };
}

function put(ring: DigestRing, text: string): boolean {
  const slot = ring.free();
  if (!slot) return false;
  ring.publish(slot.write(text));
  return true;
}

function take(ring: DigestRing): string | null {
  const piece = ring.filled();
  if (!piece) return null;
  const text = piece.toString();
  ring.release();
  return text;
}

describe('a ring of pieces', () => {
  it('hands pieces over in order, each with its length, and is full after four', () => {
    const { writer, reader } = openRing();
    expect(take(reader)).toBeNull();
    for (const text of ['a', 'bb', 'ccc', 'dddd']) expect(put(writer, text)).toBe(true);
    expect(put(writer, 'e')).toBe(false);
    expect(take(reader)).toBe('a');
    expect(put(writer, 'e')).toBe(true);
    expect([take(reader), take(reader), take(reader), take(reader), take(reader)]).toEqual([
      'bb',
      'ccc',
      'dddd',
      'e',
      null,
    ]);
  });

  it('gives a piece that fills its slot whole', () => {
    const { writer, reader } = openRing();
    writer.free()?.fill(7);
    writer.publish(PIECE_BYTES);
    expect(reader.filled()).toHaveLength(PIECE_BYTES);
  });

  it('goes on when its counters pass 2^31', () => {
    const { memory, writer, reader } = openRing();
    new Int32Array(memory, 0, 2).fill(2 ** 31 - 2);
    for (let round = 0; round < 10; round += 1) {
      expect(put(writer, `piece ${round}`)).toBe(true);
      expect(put(writer, `second ${round}`)).toBe(true);
      expect([take(reader), take(reader), take(reader)]).toEqual([`piece ${round}`, `second ${round}`, null]);
    }
  });

  it.each(['whole', 'broken'] as const)('ends %s only when the last piece was taken', (how) => {
    const { writer, reader } = openRing();
    put(writer, 'last');
    expect(reader.ended()).toBeNull();
    writer.end(how);
    expect(reader.ended()).toBeNull();
    take(reader);
    expect(reader.ended()).toBe(how);
  });

  it('does not wait for what is there already', () => {
    const { writer, reader } = openRing();
    put(writer, 'a');
    const since = performance.now();
    writer.awaitFree(60_000);
    reader.awaitFilled(60_000);
    take(reader);
    writer.end('whole');
    reader.awaitFilled(60_000);
    expect(performance.now() - since).toBeLessThan(30_000);
  });
});
