import { readdir, readFile } from 'node:fs/promises';
import { IsgError } from '../runtime/errors.ts';

/** A migration as its file has it. Name and version numbers hold nothing that SQL would have to quote. */
export interface Migration {
  version: number;
  name: string;
  /** Oldest program that the tables fit afterwards; `0.0.0` when the file names none. */
  minVersion: string;
  text: string;
}

const badFile = (words: string): IsgError =>
  new IsgError('schema-failed', `This program is not whole: ${words} Install it again.`, { retry: 'permanent' });

function minVersionOf(file: string, text: string): string {
  const line = /^-- min-version:.*/.exec(text)?.[0];
  if (line === undefined) return '0.0.0';
  const [, asked] = /^-- min-version: (\d+(?:\.\d+)*)$/.exec(line.trimEnd()) ?? [];
  if (asked === undefined) throw badFile(`the first line of the migration file ${file} names no version.`);
  return asked;
}

/** All migrations of a folder in the order of their numbers. Throws `schema-failed` for a file that is none. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file) => {
      const [, digits, name] = /^(\d{6})_([a-z0-9-]+)\.sql$/.exec(file) ?? [];
      if (digits === undefined || name === undefined)
        throw badFile(`the migration file ${file} is not named NNNNNN_slug.sql.`);
      const text = await readFile(`${folder}/${file}`, 'utf8');
      return { version: Number(digits), name, minVersion: minVersionOf(file, text), text };
    }),
  );
}
