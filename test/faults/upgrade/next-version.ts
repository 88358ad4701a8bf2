import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VERSION } from '../../../agent/version.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MIGRATIONS = fileURLToPath(new URL('./migrations/', import.meta.url));

/** A version of the agent that nodes can be started with. */
export interface AgentVersion {
  version: string;
  /** Its entry; absent for the one of this tree. */
  program?: string;
}

/** The version of this tree. */
export const THIS_VERSION: AgentVersion = { version: VERSION };

/** Names in program and statements that a version has others for: it works with what its migrations made. */
type Names = Readonly<Record<string, string>>;
const NOTES: Names = { progress_note: 'next_note', job_exchange_2: 'job_exchange_3' };
const REASONS: Names = { status_reason: 'next_reason' };

/**
 * Made versions: the next one brings an expanding migration and works with the notes of it; the one after it works with the
 * reasons, too, and brings a contracting migration that it asks 100.0.0 for: what the version of this tree needs goes.
 */
const MADE: Readonly<Record<'99.0.0' | '100.0.0', { migrations: string[]; names: Names }>> = {
  '99.0.0': { migrations: ['999001_next-expand.sql'], names: NOTES },
  '100.0.0': {
    migrations: ['999001_next-expand.sql', '999002_next-contract.sql'],
    names: { ...NOTES, ...REASONS },
  },
};

/** Uses other names in a program; throws when it names one of them nowhere, since it is then no other program. */
function rename(agent: string, names: Names): void {
  const missing = new Set(Object.keys(names));
  for (const file of globSync('**/*.ts', { cwd: agent })) {
    const text = readFileSync(join(agent, file), 'utf8');
    const changed = text.replaceAll(/\w+/g, (word) => {
      missing.delete(word);
      return Object.hasOwn(names, word) ? String(names[word]) : word;
    });
    if (changed !== text) writeFileSync(join(agent, file), changed);
  }
  if (missing.size > 0) throw new Error(`the program does not name ${[...missing].join(', ')}`);
}

/** Versions laid out in a folder of their own. */
export class NextVersions {
  readonly dir = mkdtempSync(join(tmpdir(), 'isg-pro-versions-'));

  /** Lays out the agent of this tree under another number, with further migrations beside its own and what works with them. */
  layOut(version: keyof typeof MADE): AgentVersion {
    const folder = join(this.dir, version);
    cpSync(join(ROOT, 'agent'), join(folder, 'agent'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
    const versionFile = join(folder, 'agent/version.ts');
    const changed = readFileSync(versionFile, 'utf8').replace(`'${VERSION}'`, `'${version}'`);
    if (!changed.includes(version)) throw new Error('the version stands elsewhere now');
    writeFileSync(versionFile, changed);
    const { migrations, names } = MADE[version];
    rename(join(folder, 'agent'), names);
    for (const file of migrations) cpSync(join(MIGRATIONS, file), join(folder, 'agent/db/migrations', file));
    return { version, program: join(folder, 'agent/main.ts') };
  }

  /** Removes them. */
  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
