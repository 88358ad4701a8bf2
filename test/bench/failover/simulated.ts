import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { migrate } from '../../../agent/db/migrate.ts';
import { startEmbeddedDatabase } from '../../../agent/embedded-db/embedded-database.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { runEpisode } from '../../support/history/simulation.ts';
import { installWitness } from '../../support/history/witness.ts';

/** Runs simulated episodes on a database of their own; answers how many, and every broken promise in words. */
export async function runSimulated(episodes: number): Promise<{ simulated: number; broken: string[] }> {
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-simulated-'));
  const embedded = await startEmbeddedDatabase({ dataDir: dir, log: silentLogger, lingerMs: 0 });
  const name = await prepare(embedded.uri);
  const database = createDatabase({ uri: embedded.uri, log: silentLogger, maxConnections: 1 });
  try {
    const broken: string[] = [];
    for (let seed = 1; seed <= episodes; seed++) {
      const { violations, fault } = await runEpisode(database, { seed });
      broken.push(...violations.map(({ words }) => `seed ${seed}, ${fault}: ${words}`));
      if (seed % 100 === 0) process.stdout.write(`simulated: ${seed} of ${episodes} episodes in ${name}\n`);
    }
    return { simulated: episodes, broken };
  } finally {
    await database.close();
    await embedded.release();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Makes tables and witness; nothing here must outlive a power cut, so commits need not wait for the disk. */
async function prepare(uri: string): Promise<string> {
  const database = createDatabase({ uri, log: silentLogger, maxConnections: 1 });
  try {
    await migrate(database, { version: '999.0.0', log: silentLogger });
    await installWitness(database);
    const row = z.object({ name: z.string() });
    const [found] = await database.query('SELECT current_database() AS name', [], row);
    const name = found?.name ?? '';
    await database.execute(`ALTER DATABASE "${name}" SET synchronous_commit = off`, []);
    return name;
  } finally {
    await database.close();
  }
}
