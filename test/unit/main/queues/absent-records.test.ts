import { describe, expect, it } from 'vitest';
import { AbsentRecords } from '../../../../agent/roles/main/queues/absent-records.ts';

describe('a settled record', () => {
  const shows =
    (...listed: string[]) =>
    (recordId: string) =>
      listed.includes(recordId);

  it('is gone once lists have not shown it for the whole time', () => {
    const records = new AbsentRecords(60_000);
    expect(records.gone(['a', 'b'], shows('b'), 0)).toEqual([]);
    expect(records.gone(['a', 'b'], shows('b'), 59_999)).toEqual([]);
    expect(records.gone(['a', 'b'], shows(), 60_000)).toEqual(['a']);
  });

  it('that one list has missed is known as before: the time begins anew', () => {
    const records = new AbsentRecords(60_000);
    expect(records.gone(['a'], shows(), 0)).toEqual([]);
    expect(records.gone(['a'], shows('a'), 30_000)).toEqual([]);
    expect(records.gone(['a'], shows(), 60_000)).toEqual([]);
    expect(records.gone(['a'], shows(), 119_999)).toEqual([]);
    expect(records.gone(['a'], shows(), 120_000)).toEqual(['a']);
  });

  it('is never gone by the word of one list, however short the time', () => {
    const records = new AbsentRecords(0);
    expect(records.gone(['a'], shows(), 1_000)).toEqual([]);
    expect(records.gone(['a'], shows(), 1_000)).toEqual(['a']);
  });
});
