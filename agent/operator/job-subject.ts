import { z } from 'zod';

const text = z.string().optional().catch(undefined);
const payloadSchema = z
  .object({
    path: text,
    destinationDirectoryPath: text,
    destinationFilename: text,
    destinationFileSetName: text,
  })
  .catch({});

/** The file that a job works on, or is to make; empty when its payload names none. As `operator-jobs.ts` says it in SQL. */
export function subjectOf(payload: unknown): string {
  const { path, destinationDirectoryPath, destinationFilename, destinationFileSetName } = payloadSchema.parse(payload);
  if (path !== undefined) return path;
  const name = destinationFilename ?? destinationFileSetName;
  return [destinationDirectoryPath, name].filter((part) => part !== undefined && part !== '').join('/');
}
