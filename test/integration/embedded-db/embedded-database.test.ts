import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createDatabase } from '../../../agent/db/database.ts';
import { migrate } from '../../../agent/db/migrate.ts';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../../agent/embedded-db/embedded-database.ts';
import { isAlive, readPostmasterFile } from '../../../agent/embedded-db/server-process.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';

const program = fileURLToPath(new URL('./hold-database.ts', import.meta.url));
const LINGER_MS = 500;
const numberRow = z.object({ value: z.number() });

async function until(claim: string, isTrue: () => Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('embedded database', () => {
  let dataDir: string;
  let agents: ChildProcess[];
  let held: EmbeddedDatabase[];

  const folder = () => join(dataDir, 'embedded-db');
  const serverPid = async () => (await readPostmasterFile(join(folder(), 'pg')))?.pid ?? 0;
  const keeperPid = async () => {
    const lines = (await readFile(join(folder(), 'keeper.log'), 'utf8')).trim().split('\n');
    const last = lines.findLast((line) => /(started|adopted) server/.test(line)) ?? '';
    return Number(last.split(' ')[1]);
  };
  const isStopped = async () => {
    const pid = await serverPid();
    return pid === 0 || !isAlive(pid);
  };
  const hold = async (lingerMs = LINGER_MS) => {
    const database = await startEmbeddedDatabase({ dataDir, log: silentLogger, lingerMs });
    held.push(database);
    return database;
  };
  const startAgent = async () => {
    const agent = spawn(process.execPath, [program, dataDir, String(LINGER_MS)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    agents.push(agent);
    const [line] = (await once(agent.stdout, 'data')) as [Buffer];
    return { agent, uri: line.toString().trim() };
  };
  const open = (uri: string) => createDatabase({ uri, log: silentLogger, maxConnections: 1 });
  const ask = async (uri: string, text: string) => {
    const database = open(uri);
    try {
      return await database.query(text, [], numberRow);
    } finally {
      await database.close();
    }
  };

  beforeEach(async () => {
    agents = [];
    held = [];
    dataDir = await mkdtemp(join(tmpdir(), 'isg-pro-test-embedded-'));
    await chmod(dataDir, 0o750);
  });
  afterEach(async () => {
    for (const agent of agents) agent.kill('SIGKILL');
    for (const database of held) await database.release();
    await until('PostgreSQL has stopped', isStopped);
    await rm(dataDir, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
  });

  it('starts, takes the schema, keeps its secrets, stops after the last agent, and keeps the data', async () => {
    const first = await hold();
    const database = open(first.uri);
    await migrate(database, { version: '1.0.0', log: silentLogger });
    await database.execute('CREATE TABLE kept AS SELECT 7 AS value', []);
    const [schema] = await database.query('SELECT current_schema() AS value', [], z.object({ value: z.string() }));
    expect(schema?.value).toBe('isg');
    const [fsync] = await database.query(
      "SELECT current_setting('fsync') AS value",
      [],
      z.object({ value: z.string() }),
    );
    expect(fsync?.value).toBe('on');
    await database.close();
    expect((await stat(join(folder(), 'password'))).mode & 0o777).toBe(0o600);
    const wrong = open(first.uri.replace(/:[0-9a-f]+@/, ':guess@'));
    await expect(wrong.execute('SELECT 1', [])).rejects.toMatchObject({ code: 'database-refused' });
    await wrong.close();

    await first.release();
    await until('PostgreSQL stops after the linger time', isStopped);
    const second = await hold();
    expect(second.uri).toBe(first.uri);
    expect(await ask(second.uri, 'SELECT value FROM kept')).toEqual([{ value: 7 }]);
  });

  it('is one and the same for agents that start at the same time on one folder', async () => {
    const [one, two, three] = await Promise.all([startAgent(), startAgent(), hold()]);
    expect(new Set([one.uri, two.uri, three.uri]).size).toBe(1);
    expect(await ask(one.uri, 'SELECT 1 AS value')).toEqual([{ value: 1 }]);
  });

  it('goes on for the next agent when the one that started it is killed', async () => {
    const { agent, uri } = await startAgent();
    const pid = await serverPid();
    const database = open(uri);
    await database.execute('SELECT 1', []);
    agent.kill('SIGKILL');
    await once(agent, 'exit');
    const next = await hold();
    expect(next.uri).toBe(uri);
    expect(await serverPid()).toBe(pid);
    expect(await database.execute('SELECT 1', [])).toBe(1);
    await database.close();
  });

  it('stops when the last agent was killed and nobody came', async () => {
    const { agent } = await startAgent();
    agent.kill('SIGKILL');
    await until('PostgreSQL stops', isStopped);
  });

  it('survives its keeper: the agent gets another keeper, which adopts the server under the same URI', async () => {
    const { uri } = await hold();
    const pid = await serverPid();
    const keeper = await keeperPid();
    process.kill(keeper, 'SIGKILL');
    await until('another keeper', async () => (await keeperPid()) !== keeper);
    expect(await serverPid()).toBe(pid);
    expect(await ask(uri, 'SELECT 1 AS value')).toEqual([{ value: 1 }]);
  });

  it('recovers when agent, keeper and server were all killed', async () => {
    const { agent, uri } = await startAgent();
    await ask(uri, 'CREATE TABLE kept AS SELECT 8 AS value; SELECT 1 AS value');
    const [keeper, server] = [await keeperPid(), await serverPid()];
    for (const pid of [keeper, agent.pid ?? 0, server]) process.kill(pid, 'SIGKILL');
    const next = await hold();
    expect(await ask(next.uri, 'SELECT value FROM kept')).toEqual([{ value: 8 }]);
    expect(await serverPid()).not.toBe(server);
  });

  it('brings a killed server back on the same port while an agent holds it', async () => {
    const { uri } = await hold();
    const server = await serverPid();
    process.kill(server, 'SIGKILL');
    await until('another server', async () => ![0, server].includes(await serverPid()));
    await until('it answers', () =>
      ask(uri, 'SELECT 1 AS value').then(
        () => true,
        () => false,
      ),
    );
  });
});
