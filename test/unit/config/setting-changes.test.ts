import { describe, expect, it } from 'vitest';
import { clusterOnlyInNode, resolveTunable } from '../../../agent/config/precedence.ts';
import { keyChanges, tierChange } from '../../../agent/config/setting-changes.ts';
import { SettingsJournal } from '../../../agent/config/settings-journal.ts';
import { collectSettings, parseConfigFile, type SettingsTiers } from '../../../agent/contract/index.ts';

const NAME = 'max_transcoding_jobs';
const said = (tiers: Partial<Record<keyof SettingsTiers, unknown>>) =>
  resolveTunable(NAME, Object.fromEntries(Object.entries(tiers).map(([tier, value]) => [tier, { [NAME]: value }])));

describe('the sentence of a changed setting', () => {
  it('says what counts now, who said it, whom it beats, and what was changed', () => {
    expect(tierChange(NAME, said({ node: 3 }), said({ configIni: 4, node: 3 }))).toBe(
      `${NAME} is now 4, said by config.ini, which beats node (3), default (2): config.ini changed from not set to 4`,
    );
  });

  it('says so when a change has no effect because a stronger tier wins', () => {
    expect(tierChange(NAME, said({ configIni: 4 }), said({ configIni: 4, cluster: 9 }))).toBe(
      `${NAME} stays 4, said by config.ini, which beats cluster (9), default (2): cluster changed from not set to 9`,
    );
  });

  it('says when a tier takes its value back, and when it says one that cannot be used', () => {
    expect(tierChange(NAME, said({ node: 3 }), said({}))).toBe(
      `${NAME} is now 2, said by default: node changed from 3 to not set`,
    );
    expect(tierChange(NAME, said({}), said({ node: 900 }))).toContain('is not a whole number from 1 to 64 and has no');
  });

  it('is none when nothing was changed', () => {
    expect(tierChange(NAME, said({ node: 3 }), said({ node: 3 }))).toBeNull();
  });
});

const file = (text: string) => collectSettings(parseConfigFile(`[main]\n${text}`)).said;

describe('the sentences of changed keys of config.ini', () => {
  it('say the value, the default it beats, and when it counts', () => {
    expect(keyChanges(file(''), file('log-level = debug'), new Set())).toEqual([
      'log-level is now debug, said by config.ini, which beats the default (info); it was the default (info). It counts from now on.',
    ]);
    const [back] = keyChanges(file('stall-ms = 20000'), file(''), new Set());
    expect(back).toContain(
      'since config.ini no longer says it; it was 20000. It counts from the next start of this agent',
    );
  });

  it('never repeat a secret', () => {
    const before = file('auth-token = hunter2\nhttps-proxy = http://u:hunter2@p:1');
    const after = file(
      'auth-token = hunter3\nhttps-proxy = http://u:hunter3@p:1\ndb-connection-uri = postgresql://hunter4',
    );
    const words = keyChanges(before, after, new Set());
    expect(words).toHaveLength(3);
    expect(words.join()).not.toContain('hunter');
  });

  it('say that the command line wins, and leave tunables to the sentence with all tiers', () => {
    expect(keyChanges(file(''), file('app-id = b'), new Set(['app-id']))[0]).toContain(
      'the command line says the value',
    );
    expect(keyChanges(file(''), file('max_transcoding_jobs = 4'), new Set())).toEqual([]);
  });
});

describe('the journal', () => {
  it('tells each change once, at first only what is wrong', () => {
    const lines: string[] = [];
    const journal = new SettingsJournal({ info: (words) => lines.push(words), warn: (words) => lines.push(words) });
    journal.note({ [NAME]: said({ node: 900, cluster: 3 }) }, { visibility_timeout: 60 });
    expect(lines).toEqual([
      `${NAME} of node is not a whole number from 1 to 64 and has no effect`,
      expect.stringContaining('visibility_timeout of node is refused'),
    ]);
    journal.note({ [NAME]: said({ cluster: 3 }) }, {});
    journal.note({ [NAME]: said({ cluster: 5 }) }, {});
    expect(lines.slice(2)).toEqual([
      `${NAME} is now 5, said by cluster, which beats default (2): cluster changed from 3 to 5`,
    ]);
  });
});

it('what only the cluster may say is refused in the node tier with the reason', () => {
  expect(clusterOnlyInNode({ visibility_timeout: 60, db_connection_uri: 'postgresql://u:p@h/d', x: 1 })).toEqual([
    expect.stringMatching(/^visibility_timeout of node is refused.*one lease time/),
    expect.stringMatching(/^db_connection_uri of node is refused.*one database/),
  ]);
  expect(clusterOnlyInNode({ visibility_timeout: null })).toEqual([]);
});
