import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

/** Each layer rule of biome.json is shown a wrong import and a right one: a glob that matches nothing would never say so. */

const biome = fileURLToPath(new URL('../../node_modules/.bin/biome', import.meta.url));
const ownConfig = new URL('../../biome.json', import.meta.url);

const dir = mkdtempSync(join(tmpdir(), 'isg-pro-layers-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Whether the rule refuses an import in a file at a path. Judged in a folder of its own that has our biome.json. */
function isRefused(file: string, source: string): boolean {
  const { vcs: _, ...config } = z.looseObject({ vcs: z.unknown() }).parse(JSON.parse(readFileSync(ownConfig, 'utf8')));
  writeFileSync(join(dir, 'biome.json'), JSON.stringify(config));
  mkdirSync(dirname(join(dir, file)), { recursive: true });
  writeFileSync(join(dir, file), `import * as thing from '${source}';\nexport const seen = thing;\n`);
  const args = ['lint', '--only=style/noRestrictedImports', '--colors=off', file];
  const { status, stderr, stdout } = spawnSync(biome, args, { cwd: dir, encoding: 'utf8' });
  const isNamed = stderr.includes('noRestrictedImports') && stderr.includes(file);
  if ((status === 1) !== isNamed) throw new Error(`Biome did not judge the file: ${stdout}${stderr}`);
  return isNamed;
}

describe('an import across the layers is refused', () => {
  it.each([
    ['agent/contract/x.ts', 'node:fs'],
    ['agent/contract/x.ts', '../runtime/clock.ts'],
    ['agent/runtime/x.ts', '../db/database.ts'],
    ['agent/runtime/child-guard/x.ts', '../../jobs/runner.ts'],
    ['agent/iconik/x.ts', '../db/database.ts'],
    ['agent/storage/process/x.ts', '../../leader/elector.ts'],
    ['agent/config/x.ts', 'pg'],
    ['agent/config-file/x.ts', '../runtime/errors.ts'],
    ['agent/config-file/x.ts', '../db/database.ts'],
    ['main/lifecycle/x.ts', '../../agent/config/load-config.ts'],
    ['main/lifecycle/x.ts', '../../agent/link/service-link.ts'],
    ['agent/db/queries/x.ts', '../../jobs/job-handler.ts'],
    ['agent/db/x.ts', 'better-sqlite3'],
    ['agent/cache/x.ts', 'pg'],
    ['agent/service/x.ts', '../cluster/entities.ts'],
    ['agent/jobs/x.ts', '../db/queries/job.ts'],
    ['agent/leader/x.ts', '../db/queries/leader-lease.ts'],
    ['agent/cluster/x.ts', '../roles/main/scan/scanner.ts'],
    ['agent/health/checks/x.ts', 'pg'],
    ['agent/roles/transfer/x.ts', '../main/scan/scanner.ts'],
    ['agent/roles/main/scan/x.ts', '../../transcode/ffmpeg/ffmpeg.ts'],
    ['agent/roles/transcode/x.ts', 'fluent-ffmpeg'],
    ['agent/roles/main/scan/x.ts', '../../../app.ts'],
    ['agent/jobs/x.ts', 'electron'],
    ['test/stand-in/x.ts', '../../agent/iconik/api.ts'],
    ['renderer/features/jobs/x.ts', '../logs/log-text.ts'],
    ['renderer/ui/frame/x.ts', '../../features/jobs/job-filter.ts'],
  ])('%s must not import %s', (file, source) => {
    expect(isRefused(file, source)).toBe(true);
  });

  it.each([
    ['agent/contract/x.ts', 'zod'],
    ['agent/config-file/x.ts', '../contract/index.ts'],
    ['main/lifecycle/x.ts', '../../agent/config-file/config-store.ts'],
    ['agent/contract/x.ts', './roles.ts'],
    ['agent/runtime/x.ts', 'node:fs'],
    ['agent/jobs/pg-x.ts', '../db/queries/job.ts'],
    ['agent/db/x.ts', 'pg'],
    ['agent/cache/x.ts', 'better-sqlite3'],
    ['agent/roles/main/scan/x.ts', '../../../db/queries/fence.ts'],
    ['agent/roles/transcode/ffmpeg/x.ts', 'fluent-ffmpeg'],
    ['test/stand-in/x.ts', '../../agent/contract/index.ts'],
    ['renderer/features/jobs/x.ts', '../../ui/grid-keys.ts'],
    ['renderer/ui/frame/x.ts', '../../state/route.ts'],
  ])('%s may import %s', (file, source) => {
    expect(isRefused(file, source)).toBe(false);
  });
});
