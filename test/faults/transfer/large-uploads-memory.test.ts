import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildBenchAgent } from '../../bench/built-agent.ts';
import { FamilyMemory } from '../../bench/family-memory.ts';
import { type RunningSink, startSink } from '../../bench/transfer/start-sink.ts';
import { isLong, onlyLong } from '../../support/long-version.ts';

const FILES = 8;
const FILE_BYTES = 5 * 1024 ** 3;
/** What a node has when nothing is configured: 100 MB a part (reference C.9), 4 parts of a file at once. */
const PART_BYTES = 100_000_000;
/** A quiet machine needs two minutes; one that is shared among many, many. */
const TIMEOUT_MS = 45 * 60_000;
/** Megabytes that no run may exceed, pages that the processes share counted once. The goal is 200. */
const PROMISED_MB = 230;

let root: string;
let sink: RunningSink;
let agent: ChildProcess;
let names: string[];

beforeAll(async () => {
  if (!isLong) return;
  const program = await buildBenchAgent('transfer', 'transfer-agent');
  root = mkdtempSync(join(tmpdir(), 'large-uploads-'));
  mkdirSync(join(root, 'up'));
  names = Array.from({ length: FILES }, (_, at) => `up/file-${at}`);
  for (const name of names) {
    writeFileSync(join(root, name), '');
    truncateSync(join(root, name), FILE_BYTES);
  }
  sink = await startSink({ sizeBytes: 0, count: 0 });
  agent = fork(program, [sink.url, root, String(PART_BYTES)], { execArgv: [] });
  await once(agent, 'message');
});

afterAll(async () => {
  if (!isLong) return;
  if (agent.connected) agent.send('stop');
  if (agent.exitCode === null) await once(agent, 'exit');
  sink.stop();
  rmSync(root, { recursive: true });
});

/**
 * The part of the agent that moves bytes, with all its processes, built as it is shipped. The store checks the MD5 of every part
 * and drops the bytes. Figures are printed: they are what the README may say.
 */
it.skipIf(!isLong)(
  `holds little memory while it sends ${FILES} files of 5 GiB at once${onlyLong}`,
  {
    timeout: TIMEOUT_MS,
  },
  async () => {
    const memory = new FamilyMemory(agent.pid ?? 0);
    const died = new AbortController();
    agent.once('exit', () => died.abort(new Error('the agent ended')));
    agent.send({ direction: 'up', files: names, sizeBytes: FILE_BYTES, md5: '' });
    const [answer] = (await once(agent, 'message', { signal: died.signal })) as [{ ms?: number; error?: string }];
    memory.stop();
    const { rss, pss, once: shownOnce } = memory.peaksMb;
    const mibPerSecond = Math.round((FILES * FILE_BYTES) / 1024 ** 2 / ((answer.ms ?? 0) / 1000));
    const sums = { rssMb: rss.sum, pssMb: pss.sum, onceMb: shownOnce.sum, mibPerSecond };
    process.stdout.write(`${JSON.stringify({ ...sums, rss: rss.each, pss: pss.each, once: shownOnce.each })}\n`);
    expect(answer.error).toBeUndefined();
    expect(shownOnce.sum).toBeGreaterThan(0);
    expect(shownOnce.sum).toBeLessThanOrEqual(PROMISED_MB);
  },
);
