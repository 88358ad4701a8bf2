import type { FileSet, FileStorageSettings } from '../../../iconik/api.ts';
import { plainDirectory } from '../../../iconik/record-path.ts';
import { directoryOf, nameOf } from '../../../storage/storage-path.ts';
import { directoryAssetOf } from './directory-plan.ts';

/** Where a file set stands and how it is called: by its file, or by the directory that is the asset. */
export interface FileSetPlace {
  baseDir: string;
  name: string;
}

/** The place of a file's file set. */
export function fileSetPlace(path: string, settings: FileStorageSettings): FileSetPlace {
  const directory = directoryAssetOf(path, settings);
  return directory === null
    ? { baseDir: directoryOf(path), name: nameOf(path) }
    : { baseDir: directory, name: nameOf(directory) };
}

/** Natural key of a file set's creation. */
export function fileSetKey(storageId: string, formatId: string, place: FileSetPlace): string {
  return `${formatId}/${storageId}/${place.baseDir}/${place.name}`;
}

/** Whether a file set is the one with this id and stands at a place. */
export function isFileSetOf(set: FileSet, id: string, place: FileSetPlace): boolean {
  const isHere = plainDirectory(set.base_dir) === plainDirectory(place.baseDir) && set.name === place.name;
  return set.id === id && isHere;
}
