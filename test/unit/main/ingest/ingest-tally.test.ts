import { describe, expect, it } from 'vitest';
import { IngestTally, TALLY_MS } from '../../../../agent/roles/main/ingest/ingest-tally.ts';

const messages = (words: readonly { message: string }[]) => words.map(({ message }) => message);

describe('what ingest says of a cycle', () => {
  it('is one sentence a storage, however many files there were', () => {
    const tally = new IngestTally();
    for (let n = 0; n < 1_000; n += 1) tally.ended(`s${n % 2}`, 'ingested', n);
    tally.ended('s1', 'content-changed', 1_000);
    expect(tally.due(TALLY_MS - 1)).toEqual([]);
    const words = tally.due(TALLY_MS);
    expect(words.map(({ fields }) => fields.storageId)).toEqual(['s0', 's1']);
    expect(messages(words)).toEqual([
      'Brought 500 files into iconik.',
      'Brought 500 files into iconik; 1 file changed meanwhile and will be looked at again.',
    ]);
  });

  it('is nothing when nothing happened', () => {
    const tally = new IngestTally();
    expect(tally.due(1_000_000, true)).toEqual([]);
    tally.ended('s', 'ingested', 1_000_000);
    expect(messages(tally.due(1_000_000, true))).toEqual(['Brought 1 file into iconik.']);
    expect(tally.due(2_000_000)).toEqual([]);
  });

  it('names the first failure of a kind at once, and counts the others', () => {
    const tally = new IngestTally();
    const isSaid = Array.from({ length: 300 }, (_, n) => tally.failed('s', n % 3 === 0 ? 'a' : 'b', n));
    expect(isSaid.filter(Boolean)).toHaveLength(2);
    const words = tally.due(TALLY_MS);
    expect(words.map(({ level, fields }) => [level, fields.code, fields.files])).toEqual([
      ['warn', 'a', 99],
      ['warn', 'b', 199],
    ]);
    expect(messages(words)[0]).toBe('99 more files could not be ingested yet for the same reason (a).');
    expect(tally.failed('s', 'a', TALLY_MS + 1)).toBe(true);
    expect(tally.due(TALLY_MS * 3)).toEqual([]);
  });
});
