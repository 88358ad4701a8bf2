import { describe, expect, it } from 'vitest';
import type { SettingRow } from '../../../../agent/contract/index.ts';
import type { ConfigEntry } from '../../../../preload/contract/bridge.ts';
import {
  changesOf,
  countWrong,
  type DraftEvent,
  EMPTY_DRAFT,
  effectsOf,
  nextDraft,
  type SettingsDraft,
} from '../../../../renderer/features/settings/settings-draft.ts';

const row: SettingRow = {
  name: 'max_transcoding_jobs',
  explanation: 'Transcodes at a time.',
  value: 2,
  wonBy: 'default',
  beaten: [],
  min: 1,
  max: 64,
  unit: 'jobs',
  tiers: ['config.ini', 'node', 'cluster', 'default'],
  remarks: [],
};
const entry = (key: string, value: string | null, rest: Partial<ConfigEntry> = {}): ConfigEntry => ({
  key,
  value,
  isSecret: false,
  isSet: value !== null,
  revision: String(value),
  effect: 'restart',
  explanation: '',
  default: 'info',
  ...rest,
});
const logLevel = entry('log-level', 'info');
const token = entry('auth-token', null, { isSecret: true, isSet: true });
const saved = { rows: [row], entries: [logLevel, token, entry('max-transcoding-jobs', null)] };
const draftOf = (...events: DraftEvent[]): SettingsDraft => events.reduce(nextDraft, EMPTY_DRAFT);
const typedTier = (tier: 'config.ini' | 'node' | 'cluster', text: string): DraftEvent => ({
  type: 'tier-typed',
  row,
  tier,
  text,
});
const typedKey = (of: ConfigEntry, value: string | null): DraftEvent => ({ type: 'config-typed', entry: of, value });

describe('what is unsaved', () => {
  it('nothing typed is nothing unsaved', () => {
    expect(changesOf(EMPTY_DRAFT, saved)).toEqual([]);
  });

  it('node and cluster are changes of iconik, config.ini one of the file under its own key', () => {
    const changes = changesOf(draftOf(typedTier('node', '8'), typedTier('config.ini', '4')), saved);
    expect(changes).toMatchObject([
      { kind: 'tier', name: 'max_transcoding_jobs', tier: 'node', value: 8, from: 'not set', to: '8 jobs' },
      { kind: 'config', key: 'max-transcoding-jobs', value: '4' },
    ]);
  });

  it('typing back what is saved takes the edit back', () => {
    expect(draftOf(typedTier('node', '8'), typedTier('node', ''))).toEqual(EMPTY_DRAFT);
    expect(draftOf(typedKey(logLevel, 'debug'), typedKey(logLevel, 'info'))).toEqual(EMPTY_DRAFT);
  });

  it('emptying a key removes it', () => {
    expect(changesOf(draftOf(typedKey(logLevel, ' ')), saved)).toMatchObject([
      { key: 'log-level', value: null, from: 'info', to: 'not set' },
    ]);
  });

  it('a key that somebody else changed keeps its edit, says what stands there, and is overwritten only when saved again', () => {
    const typed = draftOf(typedKey(logLevel, 'debug'));
    expect(typed.seen).toEqual({ 'log-level': logLevel.revision });
    const conflict = { key: 'log-level', value: 'warn', isSet: true, revision: 'theirs' };
    const told = nextDraft(typed, { type: 'config-conflict', conflicts: [conflict] });
    expect(told.config).toEqual({ 'log-level': 'debug' });
    expect(told.problems.byKey.get('log-level')?.[0]).toContain('it says warn now. Save again to overwrite');
    expect(told.seen).toEqual({ 'log-level': 'theirs' });
    // typing on does not take the newer revision back
    expect(nextDraft(told, typedKey(logLevel, 'error')).seen).toEqual({ 'log-level': 'theirs' });
    expect(nextDraft(told, { type: 'config-reverted', key: 'log-level' }).seen).toEqual({});
  });

  it('a refused text is counted and is no change yet', () => {
    const draft = draftOf(typedTier('cluster', '900'));
    expect(countWrong(draft, saved)).toBe(1);
    expect(changesOf(draft, saved)).toEqual([]);
  });

  it('a typed secret never appears in the list of changes', () => {
    const changes = changesOf(draftOf(typedKey(token, 'very-secret')), saved);
    expect(changes).toMatchObject([{ from: 'set', to: 'a new value', value: 'very-secret' }]);
    const { value: _value, ...shown } = changes[0] as { value: unknown };
    expect(JSON.stringify(shown)).not.toContain('very-secret');
  });

  it('a proxy URL with a password is not shown in the list of changes', () => {
    const proxy = entry('https-proxy', null);
    const draft = draftOf(typedKey(proxy, 'http://me:pass@proxy:3128'));
    expect(changesOf(draft, { rows: [], entries: [proxy] })).toMatchObject([{ to: 'a new value' }]);
  });

  it('a value that the schema refuses is counted and is no change yet', () => {
    const draft = draftOf(typedKey(logLevel, 'loud'));
    expect(countWrong(draft, saved)).toBe(1);
    expect(changesOf(draft, saved)).toEqual([]);
  });

  it('the edit of a secret can be taken back without knowing it', () => {
    expect(draftOf(typedKey(token, 'x'), { type: 'config-reverted', key: 'auth-token' })).toEqual(EMPTY_DRAFT);
  });

  it('what somebody else saved meanwhile is no change any more', () => {
    const draft = draftOf(typedTier('node', '8'), typedKey(logLevel, 'debug'));
    const later = {
      rows: [{ ...row, value: 8, wonBy: 'node' as const, beaten: [{ tier: 'default' as const, value: 2 }] }],
      entries: [entry('log-level', 'debug')],
    };
    expect(changesOf(draft, later)).toEqual([]);
  });

  it('edits of tiers wait while the agent cannot say what is saved', () => {
    const draft = draftOf(typedTier('node', '8'), typedKey(logLevel, 'warn'));
    expect(changesOf(draft, { ...saved, rows: null })).toMatchObject([{ key: 'log-level' }]);
  });

  it('discarding forgets everything', () => {
    expect(draftOf(typedTier('node', '8'), typedKey(token, 'x'), { type: 'discarded' })).toEqual(EMPTY_DRAFT);
  });
});

describe('what a change does', () => {
  it('says the value that will count', () => {
    expect(effectsOf(draftOf(typedTier('node', '8')), saved)).toEqual([
      'max_transcoding_jobs becomes 8 jobs on this node (now 2 jobs).',
    ]);
  });

  it('says when nothing changes here, and who decides', () => {
    const strong = { ...row, value: 3, wonBy: 'config.ini' as const };
    const draft = draftOf({ type: 'tier-typed', row: strong, tier: 'cluster', text: '9' });
    expect(effectsOf(draft, { ...saved, rows: [strong] })).toEqual([
      'max_transcoding_jobs stays 3 jobs on this node, decided by config.ini.',
    ]);
  });
});

describe('refusals', () => {
  const refused: DraftEvent = {
    type: 'config-refused',
    problems: ['/etc/config.ini: line 3: log-level must be debug, info, warn or error'],
    keys: ['log-level', 'auth-token'],
  };

  it('a problem of config.ini stands at its key until the key is edited', () => {
    const draft = draftOf(typedKey(logLevel, 'loud'), refused);
    expect(draft.problems.byKey.get('log-level')).toHaveLength(1);
    expect(nextDraft(draft, typedKey(logLevel, 'warn')).problems.byKey.has('log-level')).toBe(false);
  });

  it('a problem of a tunable in config.ini goes when that tier is edited', () => {
    const draft = draftOf({
      type: 'config-refused',
      problems: ['line 3: max-transcoding-jobs must be a whole number from 1 to 64'],
      keys: ['max-transcoding-jobs'],
    });
    expect(nextDraft(draft, typedTier('config.ini', '5')).problems.byKey.size).toBe(0);
  });

  it('a change that iconik refused keeps its reason until it is edited', () => {
    const draft = draftOf(typedTier('node', '8'), {
      type: 'change-refused',
      id: 'node:max_transcoding_jobs',
      message: 'No.',
    });
    expect(draft.refusals).toEqual({ 'node:max_transcoding_jobs': 'No.' });
    expect(nextDraft(draft, typedTier('node', '9')).refusals).toEqual({});
  });

  it('a saved change leaves the draft, the others stay', () => {
    const draft = draftOf(typedTier('node', '8'), typedTier('cluster', '6'), typedTier('config.ini', '4'));
    const [first, , third] = changesOf(draft, saved);
    if (first === undefined || third === undefined) throw new Error('three changes were typed');
    const left = [first, third].reduce((one, change) => nextDraft(one, { type: 'change-saved', change }), draft);
    expect(changesOf(left, saved)).toMatchObject([{ tier: 'cluster', value: 6 }]);
  });

  it('what was typed while a save ran stays unsaved', () => {
    const draft = draftOf(typedTier('node', '8'), typedKey(logLevel, 'warn'));
    const changes = changesOf(draft, saved);
    const typedOn = [typedTier('node', '9'), typedKey(logLevel, 'error')].reduce(nextDraft, draft);
    const left = changes.reduce((one, change) => nextDraft(one, { type: 'change-saved', change }), typedOn);
    expect(changesOf(left, saved)).toMatchObject([{ value: 9 }, { value: 'error' }]);
  });
});
