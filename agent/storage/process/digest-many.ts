import { join } from 'node:path';
import { mayStandForBytes } from '../odd-name.ts';
import { processErrorCode, type RequestOf, type ResultOf } from '../storage-messages.ts';
import { directoryOf, nameOf, pathSegments } from '../storage-path.ts';
import type { CallContext } from './call-context.ts';
import { containedDirectory, containedEntry } from './contained-path.ts';
import { FILE_STATES, type FileTrouble, type ListedFiles, type SharedColumns, troubleOf } from './digest-task.ts';
import { runInAll, underControl } from './digest-threads.ts';
import type { DiskPath } from './disk-path.ts';
import { realMountOf } from './held-directory.ts';
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

/** Where the files lie; why one was not found stands in `troubles`. Directories are looked at once. */
async function locate(
  paths: readonly string[],
  { mountPoint }: CallContext,
): Promise<{ files: ListedFiles; troubles: FileTrouble[] }> {
  const elsewhere = new Map<number, DiskPath | null>();
  const troubles: FileTrouble[] = [];
  const refuse = (index: number, thrown: unknown) => {
    elsewhere.set(index, null);
    troubles.push({ index, ...troubleOf(classifyFileError(thrown, paths[index] ?? '')) });
  };
  const { odd, directories } = sortOut(paths, refuse);
  await inTurns([...directories], async ([directory, inIt]) => {
    try {
      await containedDirectory(mountPoint, directory);
    } catch (thrown) {
      for (const index of inIt) refuse(index, thrown);
    }
  });
  await inTurns(odd, async (index) => {
    try {
      elsewhere.set(index, await containedEntry(mountPoint, paths[index] ?? ''));
    } catch (thrown) {
      refuse(index, thrown);
    }
  });
  const realMount = await realMountOf(mountPoint);
  const read = paths.map((path, index) => (elsewhere.has(index) ? path.replaceAll('\0', '') : path));
  return {
    files: { count: paths.length, paths: read.join('\0'), root: join(mountPoint), realMount, elsewhere },
    troubles,
  };
}

/** The list by directories, but for paths that may stand for other bytes; those that break the path rules are refused. */
function sortOut(paths: readonly string[], refuse: (index: number, thrown: unknown) => void) {
  const directories = new Map<string, number[]>();
  const odd: number[] = [];
  for (const [index, path] of paths.entries()) {
    if (mayStandForBytes(path)) {
      odd.push(index);
      continue;
    }
    try {
      pathSegments(nameOf(path));
    } catch (thrown) {
      refuse(index, thrown);
      continue;
    }
    const directory = directoryOf(path);
    const inIt = directories.get(directory);
    if (inIt) inIt.push(index);
    else directories.set(directory, [index]);
  }
  return { directories, odd };
}

/** Some at a time; `look` never rejects. */
async function inTurns<Item>(items: readonly Item[], look: (item: Item) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await look(item);
  };
  await Promise.all(Array.from({ length: LOOKS }, work));
}
