import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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

/** Made versions: the next one brings an expanding migration, the one after it a contracting one that it asks 100.0.0 for. */
const MADE = {
  '99.0.0': ['999001_next-expand.sql'],
  '100.0.0': ['999001_next-expand.sql', '999002_next-contract.sql'],
};

/** Versions laid out in a folder of their own. */
export class NextVersions {
  readonly dir = mkdtempSync(join(tmpdir(), 'isg-pro-versions-'));

  /** Lays out the agent of this tree under another number, with further migrations beside its own. */
  layOut(version: keyof typeof MADE): AgentVersion {
    const folder = join(this.dir, version);
    cpSync(join(ROOT, 'agent'), join(folder, 'agent'), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
    const versionFile = join(folder, 'agent/version.ts');
    const changed = readFileSync(versionFile, 'utf8').replace(`'${VERSION}'`, `'${version}'`);
    if (!changed.includes(version)) throw new Error('the version stands elsewhere now');
    writeFileSync(versionFile, changed);
    for (const file of MADE[version]) cpSync(join(MIGRATIONS, file), join(folder, 'agent/db/migrations', file));
    return { version, program: join(folder, 'agent/main.ts') };
  }

  /** Removes them. */
  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
