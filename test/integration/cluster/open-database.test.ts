import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openClusterDatabase } from '../../../agent/cluster/cluster-database.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import { asSuperuser, createTestDatabase, type TestDatabase } from '../../support/postgres.ts';

let dir = '';
let test: TestDatabase | null = null;
let role = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'isg-pro-open-'));
  role = `r_${randomBytes(6).toString('hex')}`;
});
afterEach(async () => {
  await test?.drop();
  test = null;
  await asSuperuser([`DROP ROLE IF EXISTS ${role}`]);
  rmSync(dir, { recursive: true, force: true });
});

const PASSWORD = 'pw-7f3a';
const nameOf = ({ uri }: TestDatabase) => new URL(uri).pathname.slice(1);

/** Opens and closes, as a node does at each try. */
async function open(uri: string): Promise<void> {
  const database = await openClusterDatabase({ kind: 'cluster', uri }, { owner: 'c', dataDir: dir, log: silentLogger });
  await database.close();
}

/** The same database as another role, which has no rights but to connect. */
async function asNewRole({ uri }: TestDatabase): Promise<string> {
  await asSuperuser([`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`]);
  const own = new URL(uri);
  own.username = role;
  own.password = PASSWORD;
  return own.href;
}

const refusal = (words: RegExp) => ({ code: 'database-refused', message: expect.stringMatching(words) });

describe('a database user without the rights it needs', () => {
  it('to make tables is told the statements that give them, and those do', async () => {
    test = await createTestDatabase({ isBare: true });
    const uri = await asNewRole(test);
    const refused = await open(uri).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject(refusal(new RegExp(`${role}.* may not create tables. Run: CREATE SCHEMA isg`)));
    expect(String(refused)).not.toContain(PASSWORD);
    const own = nameOf(test);
    await asSuperuser([`ALTER ROLE ${role} IN DATABASE ${own} SET search_path = isg`, `GRANT ${role} TO isg`]);
    await test.database.execute(`CREATE SCHEMA isg AUTHORIZATION ${role}`, []);
    await open(uri);
    await test.drop();
    test = null;
  });

  it('on the tables is told so, with what to grant', async () => {
    test = await createTestDatabase();
    const uri = await asNewRole(test);
    await asSuperuser([`ALTER ROLE ${role} IN DATABASE ${nameOf(test)} SET search_path = isg`]);
    await test.database.execute(`GRANT USAGE ON SCHEMA isg TO ${role}`, []);
    await expect(open(uri)).rejects.toMatchObject(refusal(/lacks a right.*GRANT/));
    await test.database.execute(`REVOKE USAGE ON SCHEMA isg FROM ${role}`, []);
  });
});

describe('a schema that is newer than the node', () => {
  it('is used when it still serves this version', async () => {
    test = await createTestDatabase();
    const later = `INSERT INTO schema_migration (version, name, min_version) VALUES (900000, 'later', '0.0.0')`;
    await test.database.execute(later, []);
    await open(test.uri);
  });
});

describe('a read-only database', () => {
  it.each([
    ['', /read-only.*target_session_attrs=read-write/],
    ['&target_session_attrs=read-write', /not read-write, which target_session_attrs demands\. Name a server/],
  ])('is named with what to do, and used once it can be written (%s)', async (parameter, words) => {
    test = await createTestDatabase();
    const setting = `ALTER DATABASE ${nameOf(test)} SET default_transaction_read_only`;
    await asSuperuser([`${setting} = on`]);
    await expect(open(`${test.uri}${parameter}`)).rejects.toMatchObject({ ...refusal(words), retry: 'transient' });
    await asSuperuser([`${setting} = off`]);
    await open(`${test.uri}${parameter}`);
  });
});
