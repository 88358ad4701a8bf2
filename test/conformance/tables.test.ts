import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FINDING_CODES } from '../../agent/contract/index.ts';
import { GATEWAY_EVENT_TYPES } from '../../agent/roles/main/queues/gateway-event-table.ts';
import { fileSettings } from '../stand-in/published/file-settings.ts';

/** What the table below a heading says: the names in the first column of its rows, each with the row's second column. */
function tableBelow(readme: string, heading: string): Map<string, string> {
  const text = readFileSync(new URL(`../../${readme}`, import.meta.url), 'utf8');
  const section = text
    .slice(text.indexOf(`\n${heading}\n`))
    .split('\n## ', 2)
    .join('\n');
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.flatMap((row) => {
      const [, names = '', state = ''] = row.split('|').map((cell) => cell.trim());
      return [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']): [string, string] => [name, state]);
    }),
  );
}

describe('the tables of what is built', () => {
  it('name every setting of a FILE storage and nothing else, each with its state', () => {
    const table = tableBelow('agent/roles/main/ingest/README.md', '## Settings of a FILE storage');
    expect([...table.keys()].toSorted()).toEqual(Object.keys(fileSettings.properties ?? {}).toSorted());
    for (const state of table.values()) expect(state).toMatch(/^(works|not built|iconik's own)$/);
  });

  it('name every type of gateway event and nothing else, and all of them work', () => {
    const table = tableBelow('agent/roles/main/queues/README.md', '## Events');
    expect([...table.keys()].toSorted()).toEqual([...GATEWAY_EVENT_TYPES].toSorted());
    for (const state of table.values()) expect(state).toBe('works');
  });

  it('name every finding of the doctor, in the order in which one explains another', () => {
    expect([...tableBelow('README.md', '## Troubleshooting').keys()]).toEqual([...FINDING_CODES]);
  });
});
