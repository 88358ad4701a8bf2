import { mayStandForBytes } from '../odd-name.ts';
import { processErrorCode, type RequestOf, type ResultOf } from '../storage-messages.ts';
import { directoryOf, nameOf } from '../storage-path.ts';
import type { CallContext } from './call-context.ts';
import { containedDirectory, containedEntry } from './contained-path.ts';
import { FILE_STATES, type FileTrouble, type ListedFile, type SharedColumns, troubleOf } from './digest-task.ts';
import { runInAll, underControl } from './digest-threads.ts';
import { type DiskPath, entryPath } from './disk-path.ts';
import { classifyFileError } from './local-filesystem.ts';
import { assertRootPresent } from './root-marker.ts';

/** Both digests of a file. */
const ROW_BYTES = 32;
/** Looks at directories on their way at a time. */
const LOOKS = 16;
const TROUBLE = FILE_STATES.indexOf('trouble');

/**
 * Digests many files, each thread one at a time, in the order of the list. What stands in the way of one file is told of that
 * file; files that are missing are told so only if the storage is proven to be there, else the call throws
 * `storage-unavailable`. Directories are looked at once a call.
 */
export async function digestMany(
  { paths, withMd5, maxBytesPerSecond }: RequestOf<'digest-many'>,
  context: CallContext,
): Promise<ResultOf<'digest-many'>> {
  const columns = createColumns(paths.length);
  const { files, troubles } = await locate(paths, context);
  for (const { index } of troubles) columns.states[index] = TROUBLE;
  const found = await underControl(context, ({ memory: control }) => {
    const bytesPerSecond = maxBytesPerSecond === null ? null : maxBytesPerSecond / 2;
    return [runInAll<'files'>({ kind: 'files', files, columns, withMd5, control, bytesPerSecond })];
  });
  for (const part of found) troubles.push(...part.troubles);
  if (troubles.some(({ code }) => code === 'file-not-found')) await assertRootPresent(context);
  return {
    // Shared memory stays in this process.
    states: columns.states.slice(),
    digests: columns.digests.slice(),
    sizes: columns.sizes.slice(),
    mtimesNs: columns.mtimesNs.slice(),
    fileIds: columns.fileIds.slice(),
    troubles: troubles.map(({ index, code, message, retry }) => {
      return { index, code: processErrorCode.catch('unexpected').parse(code), message, retry };
    }),
  };
}

function createColumns(rows: number): SharedColumns {
  const shared = (bytes: number) => new SharedArrayBuffer(rows * bytes);
  return {
    states: new Uint8Array(shared(1)),
    digests: new Uint8Array(shared(ROW_BYTES)),
    sizes: new Float64Array(shared(8)),
    mtimesNs: new BigInt64Array(shared(8)),
    fileIds: new BigUint64Array(shared(8)),
  };
}

/** Where the files lie; why one was not found stands in `troubles`. */
async function locate(
  paths: readonly string[],
  { mountPoint }: CallContext,
): Promise<{ files: ListedFile[]; troubles: FileTrouble[] }> {
  const files: ListedFile[] = paths.map((path) => ({ path, at: null }));
  const troubles: FileTrouble[] = [];
  const directories = new Map<string, Promise<DiskPath>>();
  const locateOne = async (path: string): Promise<DiskPath> => {
    if (mayStandForBytes(nameOf(path))) return await containedEntry(mountPoint, path);
    const directory = directoryOf(path);
    const known = directories.get(directory) ?? containedDirectory(mountPoint, directory);
    directories.set(directory, known);
    return entryPath(await known, nameOf(path));
  };
  let next = 0;
  const look = async () => {
    for (let index = next++; index < paths.length; index = next++) {
      const path = paths[index] ?? '';
      try {
        files[index] = { path, at: await locateOne(path) };
      } catch (thrown) {
        troubles.push({ index, ...troubleOf(classifyFileError(thrown, path)) });
      }
    }
  };
  await Promise.all(Array.from({ length: LOOKS }, look));
  return { files, troubles };
}
