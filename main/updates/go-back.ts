import type { Log } from '../logging/main-log.ts';
import { type OldProgramFacts, putBack } from './old-program.ts';
import { NOT_KEPT, notBack, type RunStart, type UpdateStart } from './start-plan.ts';
import { readMemory, type UpdateMemory, writeMemory } from './update-memory.ts';

/** Going back to the version before: from a new one that runs, and at a start before anything of it that may fail. */

/** What going back needs. */
export interface GoBackParts {
  old: OldProgramFacts;
  /** Arguments with which the old version is started again. */
  args: readonly string[];
  /** That there is one application per data folder. The old version starts before this one has gone. */
  lock: { release(): void; take(): void };
  /** Ends this process at once: the old version has been started in its place. */
  exit: () => void;
}

/** Puts the old version back, starts it and ends this process. Throws when it did not come to that; then this one goes on. */
export async function goBack(
  { old, args, lock, exit }: GoBackParts,
  kept: NonNullable<UpdateMemory['pending']>['old'],
): Promise<void> {
  if (kept === null) throw new Error(NOT_KEPT);
  try {
    await putBack(old, kept, args, () => lock.release());
  } catch (thrown) {
    lock.take();
    throw thrown;
  }
  exit();
}

/** How this run begins after all; null: it does not, the old version has been started. Never throws. */
export async function settleStart(
  start: UpdateStart,
  parts: GoBackParts & { memoryFile: string; log: Log },
): Promise<RunStart | null> {
  if (start.kind !== 'rolling-back') return start;
  const { memoryFile, log } = parts;
  const memory = readMemory(memoryFile);
  const { pending } = memory;
  log.error(`Version ${start.version} does not work and the old one is put back`, { why: start.why });
  try {
    await goBack(parts, pending?.old ?? null);
    return null;
  } catch (thrown) {
    log.error('The old version was not put back', { error: thrown });
    if (pending !== null) remember(memoryFile, notBack(memory, pending, hindranceOf(thrown), Date.now()), log);
    return { kind: 'usual' };
  }
}

/** What was in the way, to stand within a sentence. */
export function hindranceOf(thrown: unknown): string {
  const [line = ''] = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n');
  return line.slice(0, 300).replace(/\.$/, '');
}

function remember(file: string, memory: UpdateMemory, log: Log): void {
  try {
    writeMemory(file, memory);
  } catch (thrown) {
    log.error('What is remembered of the last update could not be written', { error: thrown });
  }
}
