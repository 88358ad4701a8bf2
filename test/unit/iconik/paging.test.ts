import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { failureOfStatus } from '../../../agent/iconik/http-failure.ts';
import { keysetList, wholeNumberedList } from '../../../agent/iconik/paging.ts';
import { deletionSchema, userSchema } from '../../../agent/iconik/schemas.ts';
import type { Query, ServiceRequests } from '../../../agent/iconik/service-requests.ts';
import { parseAnswer } from '../../../agent/iconik/service-requests.ts';
import { createLogger, type LogRecord } from '../../../agent/runtime/logger.ts';

const PATH = '/API/files/v1/list/';

/** A server behind `read`, as a function of the query. */
function serve(answer: (query: Query, nth: number) => unknown) {
  const records: LogRecord[] = [];
  const queries: Query[] = [];
  const requests: ServiceRequests = {
    log: createLogger([(record) => records.push(record)], () => 0),
    write: () => Promise.reject(new Error('not asked for')),
    create: () => Promise.reject(new Error('not asked for')),
    ask: () => Promise.reject(new Error('not asked for')),
    async read<T>(path: string, schema: z.ZodType<T>, options: { query?: Query } = {}): Promise<T> {
      queries.push(options.query ?? {});
      return parseAnswer(schema, answer(options.query ?? {}, queries.length), path);
    },
  };
  return { requests, queries, records };
}

const items = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, index) => ({ id: `${from + index}` }));
const notFound = () =>
  failureOfStatus({ method: 'GET', path: PATH }, { status: 404, text: '{"errors":["none"]}', retryAfterMs: null });

describe('keyset lists', () => {
  test('are read to the end though the server caps the page below what was asked', async () => {
    const { requests, queries } = serve(({ last_id }) => {
      const from = last_id === null || last_id === undefined ? 0 : Number(last_id) + 1;
      return { objects: items(from, Math.min(from + 10, 25)) };
    });
    const list = await keysetList({ requests, path: PATH, schema: userSchema, unreadable: 'throw', missing: 'throw' });
    expect(list).toHaveLength(25);
    expect(queries.map((query) => query.last_id)).toEqual([null, '9', '19', '24']);
  });

  test('end with a warning when the server ignores last_id', async () => {
    const { requests, queries, records } = serve(() => ({ objects: items(0, 10) }));
    const list = await keysetList({ requests, path: PATH, schema: userSchema, unreadable: 'throw', missing: 'throw' });
    expect(list).toHaveLength(10);
    expect(queries).toHaveLength(2);
    expect(records.map((record) => record.level)).toEqual(['warn']);
  });

  test('a 404 is an empty list only where that is meant, and an end after the first page', async () => {
    const list = { path: PATH, schema: userSchema, unreadable: 'throw' } as const;
    const none = serve(() => {
      throw notFound();
    });
    expect(await keysetList({ ...list, requests: none.requests, missing: 'empty' })).toEqual([]);
    await expect(keysetList({ ...list, requests: none.requests, missing: 'throw' })).rejects.toMatchObject({
      code: 'iconik-not-found',
    });
    const one = serve((_query, nth) => {
      if (nth > 1) throw notFound();
      return { objects: items(0, 3) };
    });
    expect(await keysetList({ ...list, requests: one.requests, missing: 'throw' })).toHaveLength(3);
  });

  test('one odd record does not block a queue, but stops a look-up', async () => {
    const good = { id: 'a', file_id: 'f', filename: 'x.mov', job_id: 'j', storage_id: 's' };
    const answer = ({ last_id }: Query) => ({ objects: last_id ? [] : [{ id: 'odd' }, good] });
    const list = { path: PATH, schema: deletionSchema, missing: 'throw' } as const;
    const queue = await keysetList({ ...list, requests: serve(answer).requests, unreadable: 'skip' });
    expect(queue.map((record) => record.id)).toEqual(['a']);
    await expect(keysetList({ ...list, requests: serve(answer).requests, unreadable: 'throw' })).rejects.toMatchObject({
      code: 'iconik-answer-unreadable',
    });
  });
});

describe('numbered lists', () => {
  test('end at the last page the server names', async () => {
    const { requests, queries } = serve(({ page }) => ({
      objects: items(Number(page) * 10, Number(page) * 10 + 10),
      pages: 3,
    }));
    expect(await wholeNumberedList({ requests, path: PATH, schema: userSchema, unreadable: 'throw' })).toHaveLength(30);
    expect(queries.map((query) => query.page)).toEqual([1, 2, 3]);
  });

  test('without a page count they end at an empty page, or at one that brings nothing new', async () => {
    const ending = serve(({ page }) => ({ objects: page === 1 ? items(0, 5) : [] }));
    const looping = serve(() => ({ objects: items(0, 5) }));
    for (const { requests } of [ending, looping]) {
      expect(await wholeNumberedList({ requests, path: PATH, schema: userSchema, unreadable: 'throw' })).toHaveLength(
        5,
      );
    }
    expect(looping.queries).toHaveLength(2);
  });

  test('records that move to a later page while paging are given once', async () => {
    const { requests } = serve(({ page }) => ({ objects: page === 1 ? items(0, 5) : items(4, 8), pages: 2 }));
    expect(await wholeNumberedList({ requests, path: PATH, schema: userSchema, unreadable: 'throw' })).toHaveLength(8);
  });
});
