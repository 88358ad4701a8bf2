import type { Log } from '../logging/main-log.ts';
import { planStart, type UpdateStart } from './start-plan.ts';
import { readMemory, writeMemory } from './update-memory.ts';

/** A start of the program as it was noted. */
export interface NotedStart {
  start: UpdateStart;
  /** Whether this start is counted on disk: then a failure may start the program anew at once, which ends by that count. */
  isCounted: boolean;
}

/** Counts this start of a version that is on trial, before anything of it can fail, and says how this run begins. Never throws. */
export function noteStart(file: string, version: string, log: Log): NotedStart {
  const memory = readMemory(file);
  const planned = planStart(memory, version, Date.now());
  let isWritten = true;
  try {
    if (planned.memory !== memory) writeMemory(file, planned.memory);
  } catch (thrown) {
    isWritten = false;
    log.error('What is remembered of the last update could not be written', { error: thrown });
  }
  if (planned.start.kind !== 'usual') log.info('A new version is on trial', { ...planned.start });
  return { start: planned.start, isCounted: isWritten && planned.start.kind !== 'usual' };
}
