import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OutboxFile } from '../../../agent/cache/log/outbox-file.ts';
import { openStoredLog } from '../../../agent/cache/log-view/stored-log.ts';
import { LOG_LEVELS } from '../../../agent/contract/index.ts';
import { type LogQuery, passes } from '../../../renderer/ui/logs/log-filter.ts';

// The window judges lines that arrive live, the store those that it reads: the same lines have to pass both.

const RECORDS = [
  { atMs: 1_000, level: 1, message: 'Checksum of CLIP_7.mov is done.', fields: '{"role":"CHECKSUM"}' },
  { atMs: 2_000, level: 2, message: 'Storage st-1 does not answer.', fields: '{"code":"mount-hung"}' },
  {
    atMs: 3_000,
    level: 3,
    message: 'A file could not be read.',
    fields: '{"storageId":"st-1","path":"Köln/ÄRGER.mov"}',
  },
  { atMs: 4_000, level: 0, message: 'Looking at \u212Aelvin and İstanbul.', fields: '{"storageId":"st-2"}' },
  { atMs: 5_000, level: 1, message: '100% of a_b', fields: '{"quote":"say \\"no\\""}' },
];
const ALL: LogQuery = {
  minLevel: 'debug',
  text: '',
  isPattern: false,
  workerId: null,
  fromMs: null,
  toMs: null,
  storageId: null,
};
const NARROWED: [change: Partial<LogQuery>, left: number][] = [
  [{}, 5],
  [{ minLevel: 'warn' }, 2],
  [{ storageId: 'st-1' }, 2],
  [{ storageId: 'ST-1' }, 0],
  [{ text: 'checksum' }, 1],
  [{ text: 'clip_7' }, 1],
  [{ text: 'köln' }, 1],
  [{ text: 'KÖLN' }, 0],
  [{ text: 'ärger' }, 0],
  [{ text: 'Ärger' }, 1],
  [{ text: 'kelvin' }, 0],
  [{ text: 'i\u0307stanbul' }, 0],
  [{ text: 'İSTANBUL' }, 1],
  [{ text: '%' }, 1],
  [{ text: 'A_B' }, 1],
  [{ text: '"QUOTE":' }, 1],
  [{ fromMs: 2_000, toMs: 4_000 }, 3],
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isg-pro-live-'));
  const file = new OutboxFile(join(folder, 'log.db'), 'run-1', 10_000_000);
  file.append([{ no: 1, records: RECORDS, dropped: [] }]);
  file.close();
});
afterAll(() => rm(folder, { recursive: true }));

test('a line passes live exactly where the store would find it', async () => {
  const store = openStoredLog(join(folder, 'log.db'));
  const outcome = async (change: Partial<LogQuery>) => {
    const query = { ...ALL, ...change };
    const { minLevel, text, isPattern, storageId, fromMs, toMs } = query;
    const kept = store?.narrowedBy({
      minLevel: LOG_LEVELS.indexOf(minLevel),
      text,
      isPattern,
      mention: storageId,
      fromMs,
      toMs,
    });
    const found = await kept?.matching({ from: 1, to: RECORDS.length, direction: 'newer', limit: 10 });
    const live = RECORDS.map((record, at) => ({ ...record, seq: at + 1, level: LOG_LEVELS[record.level] ?? 'info' }));
    const passing = live.filter((line) => passes(line, query)).map(({ seq }) => seq);
    return { stored: found?.map(({ seq }) => seq), live: passing };
  };
  try {
    for (const [change, left] of NARROWED) {
      const { stored, live } = await outcome(change);
      expect(live, JSON.stringify(change)).toEqual(stored);
      expect(live, JSON.stringify(change)).toHaveLength(left);
    }
  } finally {
    store?.close();
  }
});
