import type { Log } from '../logging/main-log.ts';
import { planStart, type UpdateStart } from './start-plan.ts';
import { readMemory, writeMemory } from './update-memory.ts';

/** Counts this start of a version that is on trial, before anything of it can fail, and says how this run begins. Never throws. */
export function noteStart(file: string, version: string, log: Log): UpdateStart {
  const memory = readMemory(file);
  const planned = planStart(memory, version, Date.now());
  try {
    if (planned.memory !== memory) writeMemory(file, planned.memory);
  } catch (thrown) {
    log.error('What is remembered of the last update could not be written', { error: thrown });
  }
  if (planned.start.kind !== 'usual') log.info('A new version is on trial', { ...planned.start });
  return planned.start;
}
