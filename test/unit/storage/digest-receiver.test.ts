import { describe, expect, it } from 'vitest';
import { digestInCalls, filesOf } from '../../../agent/storage/digest-receiver.ts';
import type { CallOptions } from '../../../agent/storage/storage-access.ts';
import { type DigestColumns, MAX_DIGEST_PATHS } from '../../../agent/storage/storage-messages.ts';

/** Columns of files of one byte, all digested. */
function columnsOf(paths: readonly string[]): DigestColumns {
  return {
    states: new Uint8Array(paths.length).fill(1),
    digests: new Uint8Array(paths.length * 32).map((_, at) => Math.floor(at / 32) % 251),
    sizes: new Float64Array(paths.length).fill(1),
    mtimesNs: new BigInt64Array(paths.length).fill(-5n),
    fileIds: new BigUint64Array(paths.length).map((_, at) => BigInt(at)),
    troubles: [],
  };
}

const pathsOf = (count: number) => Array.from({ length: count }, (_, at) => `file-${at}`);

describe('digests of many files', () => {
  it('are one object a file, in order', () => {
    const columns = columnsOf(pathsOf(4));
    columns.states.set([1, 2, 3, 0]);
    columns.troubles.push({ index: 2, code: 'file-not-found', message: 'gone', retry: 'permanent' });
    const files = filesOf(columns, true);
    expect(files[0]).toMatchObject({ kind: 'digested', changed: false, xxh128: '00'.repeat(16), md5: '00'.repeat(16) });
    expect(files[1]).toMatchObject({ changed: true, md5: '01'.repeat(16), facts: { mtimeNs: '-5', fileId: '1' } });
    expect(files[2]).toEqual({
      kind: 'trouble',
      error: { code: 'file-not-found', message: 'gone', retry: 'permanent' },
    });
    expect(files[3]).toMatchObject({ kind: 'trouble', error: { code: 'unexpected' } });
    expect(filesOf(columns, false)[0]).toMatchObject({ md5: null });
  });

  it('keep their order over calls that end in another one, and their bytes add up', async () => {
    const paths = pathsOf(3 * MAX_DIGEST_PATHS + 7);
    const begun: PromiseWithResolvers<void>[] = [];
    const told: number[] = [];
    const work = digestInCalls(
      paths,
      { withMd5: false, onProgress: (bytes) => told.push(bytes) },
      async (some, call) => {
        const turn = Promise.withResolvers<void>();
        begun.push(turn);
        // The second answers first.
        if (begun.length === 1) await turn.promise;
        else begun[0]?.resolve();
        call.onProgress?.(some.length);
        return { ...columnsOf(some), fileIds: BigUint64Array.from(some, (path) => BigInt(path.slice(5))) };
      },
    );
    const files = await work;
    expect(files.map((file) => (file.kind === 'digested' ? Number(file.facts.fileId) : -1))).toEqual(
      paths.map((_, at) => at),
    );
    expect(Math.max(...told)).toBe(paths.length);
  });

  it('end together when one call fails', async () => {
    const signals: CallOptions['signal'][] = [];
    const failure = new Error('the storage is away');
    const work = digestInCalls(pathsOf(5 * MAX_DIGEST_PATHS), { withMd5: false }, (_some, { signal }) => {
      signals.push(signal);
      if (signals.length === 2) return Promise.reject(failure);
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    });
    await expect(work).rejects.toBe(failure);
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, true]);
  });
});
