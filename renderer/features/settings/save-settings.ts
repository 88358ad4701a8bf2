import type { BridgeAnswer, BridgeParams } from '../../../preload/contract/bridge.ts';
import type { Change, DraftEvent } from './settings-draft.ts';

/** The two calls that saving makes; a test gives its own. */
export interface SettingsCalls {
  writeConfig(params: BridgeParams<'config.write'>): Promise<BridgeAnswer<'config.write'>>;
  writeSetting(params: BridgeParams<'settings.write'>): Promise<BridgeAnswer<'settings.write'>>;
}

/** What a save came to. */
export interface SaveOutcome {
  saved: number;
  /** Changes that are still unsaved because they were refused. */
  refused: number;
}

const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : 'It failed without a reason.';

/** What is known of config.ini: its keys, and their revisions as the user saw them. */
export interface KnownFile {
  keys: readonly string[];
  seen: Readonly<Record<string, string>>;
}

type ConfigChange = Extract<Change, { kind: 'config' }>;

async function saveConfig(
  changes: readonly ConfigChange[],
  calls: SettingsCalls,
  tell: (event: DraftEvent) => void,
  { keys, seen }: KnownFile,
): Promise<boolean> {
  try {
    const revisions = changes.flatMap(({ key }): [string, string][] => {
      const revision = seen[key];
      return revision === undefined ? [] : [[key, revision]];
    });
    const { problems, conflicts } = await calls.writeConfig({
      changes: Object.fromEntries(changes.map(({ key, value }) => [key, value])),
      seen: Object.fromEntries(revisions),
    });
    if (conflicts.length > 0) {
      tell({ type: 'config-conflict', conflicts });
      return false;
    }
    if (problems.length > 0) {
      tell({ type: 'config-refused', problems, keys });
      return false;
    }
    for (const change of changes) tell({ type: 'change-saved', change });
    return true;
  } catch (thrown) {
    tell({ type: 'config-refused', problems: [messageOf(thrown)], keys });
    return false;
  }
}

/**
 * Saves all changes: config.ini in one write (all or nothing), then each value of node and cluster in iconik. What is
 * refused stays in the draft with its reason. When config.ini is refused nothing is sent to iconik: half a plan is worse
 * than none. Never throws.
 */
export async function saveChanges(
  changes: readonly Change[],
  calls: SettingsCalls,
  tell: (event: DraftEvent) => void,
  file: KnownFile,
): Promise<SaveOutcome> {
  const config = changes.filter((change) => change.kind === 'config');
  if (config.length > 0 && !(await saveConfig(config, calls, tell, file))) {
    return { saved: 0, refused: changes.length };
  }
  let refused = 0;
  for (const change of changes) {
    if (change.kind !== 'tier') continue;
    try {
      await calls.writeSetting({ name: change.name, tier: change.tier, value: change.value });
      tell({ type: 'change-saved', change });
    } catch (thrown) {
      refused += 1;
      tell({ type: 'change-refused', id: change.id, message: messageOf(thrown) });
    }
  }
  return { saved: changes.length - refused, refused };
}
