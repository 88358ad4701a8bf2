import { describe, expect, it } from 'vitest';
import type { ConfigEntry } from '../../../../preload/contract/bridge.ts';
import {
  groupEntries,
  matchesSearch,
  presentationOf,
} from '../../../../renderer/features/settings/config-presentation.ts';
import {
  sortProblems,
  typedProblem,
  typedProblems,
  withoutPath,
} from '../../../../renderer/features/settings/config-problems.ts';
import { type SettingsCalls, saveChanges } from '../../../../renderer/features/settings/save-settings.ts';
import type { Change, DraftEvent } from '../../../../renderer/features/settings/settings-draft.ts';
import { settingsSentence } from '../../../../renderer/features/settings/settings-summary.ts';
import { settingRows } from '../../../support/fake-bridge-data.ts';

const entry = (key: string): ConfigEntry => ({
  key,
  value: null,
  isSecret: false,
  isSet: false,
  revision: '',
  effect: 'restart',
  explanation: '',
  default: '',
});

describe('the keys of config.ini', () => {
  it('stand in groups of a fixed order, keys nobody named last', () => {
    const groups = groupEntries([entry('odd-key'), entry('log-level'), entry('iconik-url')], new Set());
    expect(groups.map(({ title, entries }) => [title, entries.map(({ key }) => key)])).toEqual([
      ['Connection', ['iconik-url']],
      ['Logging and data', ['log-level']],
      ['Other keys of config.ini', ['odd-key']],
    ]);
  });

  it('a tunable is not shown twice while its tiers are shown', () => {
    expect(groupEntries([entry('max-transcoding-jobs')], new Set(['max-transcoding-jobs']))).toEqual([]);
    expect(groupEntries([entry('max-transcoding-jobs')], new Set())).toHaveLength(1);
  });

  it('an unknown key is a line of text', () => {
    expect(presentationOf('odd-key')).toMatchObject({ kind: 'text', unit: '' });
    expect(presentationOf('leader-ttl-ms')).toMatchObject({ kind: 'number', unit: 'ms' });
  });

  it('a search finds all its words in any order, also written with spaces', () => {
    expect(matchesSearch('', 'log-level')).toBe(true);
    expect(matchesSearch('level LOG', 'log-level')).toBe(true);
    expect(matchesSearch('max transcoding', 'max_transcoding_jobs')).toBe(true);
    expect(matchesSearch('proxy', 'log-level')).toBe(false);
  });
});

describe('problems of config.ini', () => {
  const keys = ['proxy-resolution', 'image-proxy-resolution', 'leader-ttl-ms', 'leader-renew-ms', 'leader-margin-ms'];

  it('a key whose name holds another is not mistaken for it', () => {
    const { byKey } = sortProblems(['/c.ini: line 2: image-proxy-resolution must be WIDTHxHEIGHT'], keys);
    expect([...byKey.keys()]).toEqual(['image-proxy-resolution']);
  });

  it('a broken relation stands at each key it names', () => {
    const text = 'leader-ttl-ms (1000) must be more than 2 × leader-renew-ms + leader-margin-ms (2250): two tries';
    expect([...sortProblems([text], keys).byKey.keys()]).toEqual([
      'leader-ttl-ms',
      'leader-renew-ms',
      'leader-margin-ms',
    ]);
  });

  it('a missing key is found at the start of the sentence', () => {
    expect(sortProblems(['proxy-resolution is missing: set it in [main]'], keys).byKey.size).toBe(1);
  });

  it('what names no key is kept apart, not lost', () => {
    expect(sortProblems(['the file cannot be written'], keys).general).toEqual(['the file cannot be written']);
  });

  it('the path of the file is said once, not in every problem', () => {
    expect(withoutPath(['/c.ini: line 2: x', 'y'], '/c.ini')).toEqual(['line 2: x', 'y']);
  });

  it('the path of the file names no key', () => {
    expect(sortProblems(['/srv/leader-ttl-ms/config.ini: the file cannot be read'], keys).byKey.size).toBe(0);
  });
});

describe('values as they are typed', () => {
  it('are judged by the schema of agent and main', () => {
    const level = { ...entry('log-level'), default: 'info' };
    expect(typedProblem(level, 'loud')).toBe('Must be debug, info, warn or error.');
    expect(typedProblem(level, ' warn ')).toBeNull();
    expect(typedProblem({ ...entry('leader-ttl-ms'), default: '3000' }, '10')).toContain('from 1000 to 120000');
  });

  it('a required key cannot be removed, another can', () => {
    expect(typedProblem(entry('app-id'), null)).toContain('Required');
    expect(typedProblem({ ...entry('log-level'), default: 'info' }, null)).toBeNull();
  });

  it('a key that nobody knows is not judged', () => {
    expect(typedProblem({ ...entry('odd-key'), default: 'none' }, 'anything')).toBeNull();
  });

  it('a relation between keys is told at each of them, with defaults for what is not set', () => {
    const timing = ['leader-ttl-ms', 'leader-renew-ms', 'leader-margin-ms'].map((key) => ({
      ...entry(key),
      default: '1',
    }));
    expect([...typedProblems(timing, { 'leader-renew-ms': '2000' }).keys()].sort()).toEqual([
      'leader-margin-ms',
      'leader-renew-ms',
      'leader-ttl-ms',
    ]);
    expect(typedProblems(timing, { 'leader-renew-ms': '2000', 'leader-ttl-ms': '9000' }).size).toBe(0);
    expect([...typedProblems(timing, { 'leader-renew-ms': 'x' }).keys()]).toEqual(['leader-renew-ms']);
    expect(typedProblems(timing, {}).size).toBe(0);
  });
});

const configChange: Change = {
  kind: 'config',
  id: 'config.ini:log-level',
  key: 'log-level',
  value: 'debug',
  from: 'info',
  to: 'debug',
  where: 'config.ini',
  label: 'log-level',
};
const tierChange = (tier: 'node' | 'cluster'): Change => ({
  kind: 'tier',
  id: `${tier}:uploads`,
  name: 'uploads',
  tier,
  value: 8,
  from: '4',
  to: '8',
  where: tier,
  label: 'uploads',
});

async function save(changes: Change[], calls: Partial<SettingsCalls>) {
  const told: DraftEvent[] = [];
  const made: string[] = [];
  const outcome = await saveChanges(
    changes,
    {
      writeConfig: async (params) => {
        made.push(`config ${JSON.stringify(params.changes)}`);
        return (await calls.writeConfig?.(params)) ?? { problems: [], conflicts: [] };
      },
      writeSetting: async (params) => {
        made.push(`${params.tier} ${params.value}`);
        return (await calls.writeSetting?.(params)) ?? {};
      },
    },
    (event) => told.push(event),
    { keys: ['log-level'], seen: { 'log-level': 'r1' } },
  );
  return { outcome, made, told: told.map(({ type }) => type) };
}

describe('saving', () => {
  it('config.ini goes in one write, then node and cluster one by one', async () => {
    const { outcome, made } = await save([tierChange('node'), configChange, tierChange('cluster')], {});
    expect(made).toEqual(['config {"log-level":"debug"}', 'node 8', 'cluster 8']);
    expect(outcome).toEqual({ saved: 3, refused: 0 });
  });

  it('a refused config.ini sends nothing to iconik', async () => {
    const { outcome, made, told } = await save([configChange, tierChange('node')], {
      writeConfig: async () => ({ problems: ['line 1: log-level is wrong'], conflicts: [] }),
    });
    expect(made).toHaveLength(1);
    expect(told).toEqual(['config-refused']);
    expect(outcome).toEqual({ saved: 0, refused: 2 });
  });

  it('a key that somebody else changed is told, with the revision that the user saw, and nothing goes to iconik', async () => {
    const seen: unknown[] = [];
    const { made, told } = await save([configChange, tierChange('node')], {
      writeConfig: async (params) => {
        seen.push(params.seen);
        return { problems: [], conflicts: [{ key: 'log-level', value: 'warn', isSet: true, revision: 'r2' }] };
      },
    });
    expect([made.length, told, seen]).toEqual([1, ['config-conflict'], [{ 'log-level': 'r1' }]]);
  });

  it('a config.ini that cannot be written is told in words', async () => {
    const { told, outcome } = await save([configChange], {
      writeConfig: () => Promise.reject(new Error('The disk is full.')),
    });
    expect(told).toEqual(['config-refused']);
    expect(outcome.saved).toBe(0);
  });

  it('a refusal of iconik does not stop the other changes', async () => {
    const { outcome, told } = await save([tierChange('node'), tierChange('cluster')], {
      writeSetting: (params) =>
        params.tier === 'node' ? Promise.reject(new Error('Forbidden.')) : Promise.resolve({}),
    });
    expect(told).toEqual(['change-refused', 'change-saved']);
    expect(outcome).toEqual({ saved: 1, refused: 1 });
  });
});

describe('the sentence of the settings', () => {
  const token = { place: 'file' as const, canUseKeyStore: true, why: '' };
  const config = { path: '/c.ini', entries: [], warnings: [], waiting: [], lastGoodMs: null, token };

  it('counts what is set, and what is set more than once', () => {
    const sentence = settingsSentence({ rows: settingRows(), config, isLoading: false });
    expect(sentence).toBe('4 of 6 limits of this node are set explicitly, one of them in more than one place.');
  });

  it('says when node and cluster cannot be read', () => {
    expect(settingsSentence({ rows: null, config, isLoading: false })).toContain('Only config.ini');
    expect(settingsSentence({ rows: null, config: null, isLoading: false })).toContain('cannot be read');
    expect(settingsSentence({ rows: null, config: null, isLoading: true })).toContain('Reading');
  });
});
