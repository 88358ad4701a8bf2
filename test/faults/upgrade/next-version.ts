import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../../agent/version.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** What the made version calls itself. */
export const NEXT_VERSION = '99.0.0';

/** An expanding change as a release brings one: the version before does not know the column, and goes on writing rows without it. */
const EXPANDING = `ALTER TABLE job ADD COLUMN next_note text;
ALTER TABLE worker ADD COLUMN next_capability text NOT NULL DEFAULT 'none';
CREATE INDEX job_next_note ON job (next_note) WHERE next_note IS NOT NULL;
`;

/**
 * Lays out the version after this one in a folder of the repository, where it finds its packages: the same agent under a higher
 * number, with a further migration. Answers its entry.
 */
export function layOutNextVersion(name: string): string {
  const folder = join(ROOT, 'out', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(ROOT, 'agent'), join(folder, 'agent'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  const versionFile = join(folder, 'agent/version.ts');
  const changed = readFileSync(versionFile, 'utf8').replace(`'${VERSION}'`, `'${NEXT_VERSION}'`);
  if (!changed.includes(NEXT_VERSION)) throw new Error('The version stands elsewhere now');
  writeFileSync(versionFile, changed);
  writeFileSync(join(folder, 'agent/db/migrations/999999_next-version.sql'), EXPANDING);
  return join(folder, 'agent/main.ts');
}

/** Removes what `layOutNextVersion` made. */
export function removeNextVersion(name: string): void {
  rmSync(join(ROOT, 'out', name), { recursive: true, force: true });
}
