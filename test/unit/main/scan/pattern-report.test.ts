import { expect, it } from 'vitest';
import { badPatterns } from '../../../../agent/roles/main/scan/pattern-report.ts';

it('names each pattern that does not compile with the setting that holds it', () => {
  const bad = badPatterns({
    scan_ignore: ['*.tmp', 're:/(/'],
    upload_ignore: ['re:/[/'],
    prio_patterns: [
      { pattern: 're:/*/', priority: 3 },
      { pattern: '*.mov', priority: 3 },
    ],
  });
  expect(bad.map(({ setting, pattern }) => [setting, pattern])).toEqual([
    ['scan_ignore', 're:/(/'],
    ['upload_ignore', 're:/[/'],
    ['prio_patterns', 're:/*/'],
  ]);
  for (const { reason } of bad) expect(reason).not.toBe('');
});
