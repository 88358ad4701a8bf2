import { keepOldProgram, restoreProgram } from './old-program.ts';
import { withFailed } from './start-plan.ts';
import { untilAborted, withinLimit } from './until-aborted.ts';
import type { UpdateMemory } from './update-memory.ts';
import { MINUTE_MS } from './update-model.ts';
import type { UpdateParts } from './updates.ts';

/** One installation: from the old program's copy to the end of this process, or back to where it began. */

/** For all of it, of which the end of this process is part: a copy on a slow disk, Squirrel's look at an archive. */
const INSTALL_LIMIT_MS = 5 * MINUTE_MS;
const RESTORE_LIMIT_MS = MINUTE_MS;

/** What an installation reads and writes of what is remembered. */
export interface InstallMemory {
  read(): UpdateMemory;
  /** Throws when it is not on disk. */
  remember(change: Partial<UpdateMemory>): void;
  /** What cannot be written counts until this process ends. */
  tryToRemember(change: Partial<UpdateMemory>): void;
}

/** What is installed, in whose turn, and what ends it: whoever aborts has written down what that means. */
export interface InstallOrder {
  version: string;
  turn: number | null;
  attempt: AbortController;
}

/**
 * Installs a version and ends this process. Answers when it did not come to that, in words; then the program is as it was, the
 * version counts as failed here, and the agent is stopped. null: it was aborted from outside. Never throws.
 */
export async function runInstall(
  parts: UpdateParts,
  memory: InstallMemory,
  order: InstallOrder,
): Promise<string | null> {
  const { version, attempt } = order;
  const limitMs = parts.installLimitMs ?? INSTALL_LIMIT_MS;
  const late = new Error(`nothing came of it within ${limitMs / MINUTE_MS} minutes`);
  const timer = setTimeout(() => attempt.abort(late), limitMs);
  try {
    await untilAborted(replace(parts, memory, order), attempt.signal);
    return null;
  } catch (thrown) {
    if (attempt.signal.aborted && attempt.signal.reason !== late) return null;
    parts.log.error('The new version could not be installed', { error: thrown });
    const trouble = await undo(parts, memory, order);
    return `Version ${version} could not be installed: ${wordsOf(thrown)}${trouble}`;
  } finally {
    clearTimeout(timer);
  }
}

async function replace(parts: UpdateParts, memory: InstallMemory, order: InstallOrder): Promise<void> {
  const { host, installer, old, version: from, args, exit, log } = parts;
  const { version: to, turn, attempt } = order;
  const kept = await keepOldProgram(old, from);
  attempt.signal.throwIfAborted();
  if (kept === null) log.warn('The running version cannot be kept here: there is no way back but by hand');
  memory.remember({ pending: { phase: 'installing', from, to, turn, starts: 0, why: '', old: kept } });
  await host.stop();
  attempt.signal.throwIfAborted();
  await installer.install(args, attempt.signal);
  exit();
}

/** What failed is not tried again unasked: it would fail again, each time at the program's risk. Answers words on what is left. */
async function undo({ log }: UpdateParts, memory: InstallMemory, { version, turn }: InstallOrder): Promise<string> {
  const kept = memory.read().pending?.old ?? null;
  let left = '';
  try {
    const words = `${kept?.place} does not answer.`;
    if (kept !== null) await withinLimit(restoreProgram(kept), { limitMs: RESTORE_LIMIT_MS, words, onLimit: () => {} });
  } catch (thrown) {
    log.error('The program could not be restored', { error: thrown });
    left = ` The program ${kept?.place} is damaged: replace it by its copy ${kept?.file}.`;
  }
  const report = { turn, outcome: 'given-up' as const, version };
  memory.tryToRemember({ pending: null, failed: withFailed(memory.read(), version), report });
  return left;
}

/** The first line: electron-updater adds stacks. */
export function wordsOf(thrown: unknown): string {
  const [line = ''] = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n');
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
