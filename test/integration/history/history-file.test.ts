import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { LeaderWork } from '../../../agent/leader/leadership.ts';
import { createNodeRecording } from '../../../agent/node-recording.ts';
import { machineMs, openHistory } from '../../../agent/runtime/history.ts';
import { pick, readHistory } from '../../support/history/events.ts';

const dir = mkdtempSync(join(tmpdir(), 'isg-pro-history-'));
const path = join(dir, 'history.jsonl');
afterEach(() => rmSync(path, { force: true }));

const PROGRAM = `
import { openHistory } from ${JSON.stringify(new URL('../../../agent/runtime/history.ts', import.meta.url).href)};
const history = openHistory(process.argv[1], { run: 'child' });
for (let term = 1; term <= 500; term++) history.say('trust-begun', { term });
process.kill(process.pid, 'SIGKILL');`;

describe('a history file', () => {
  it('holds all that was said before a SIGKILL, dated by the clock that this process shares', () => {
    const beforeMs = machineMs();
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM, path]);
    expect(signal).toBe('SIGKILL');
    const events = pick(readHistory([path]), 'trust-begun');
    expect(events.map(({ term }) => term)).toEqual(Array.from({ length: 500 }, (_, at) => at + 1));
    for (const { atMs } of events) {
      expect(atMs).toBeGreaterThan(beforeMs);
      expect(atMs).toBeLessThan(machineMs());
    }
  });

  it('is shared by several runs without mixing their lines', () => {
    const [a, b] = [openHistory(path, { run: 'a' }), openHistory(path, { run: 'b' })];
    for (let term = 1; term <= 50; term++) for (const history of [a, b]) history.say('trust-begun', { term });
    expect(readHistory([path])).toHaveLength(100);
  });

  it('is not kept unless it is asked for: the seams of a node stay what they are', () => {
    const recording = createNodeRecording(undefined, { runId: 'r', name: 'n' });
    const work: LeaderWork[] = [];
    expect(recording.work(work)).toBe(work);
  });

  it('tells of a leadership, its trust checks and its settled work', async () => {
    const recording = createNodeRecording(path, { runId: 'r', name: 'n' });
    const end = new AbortController();
    const scan: LeaderWork = {
      name: 'scan',
      run: async (leadership) => {
        leadership.assertTrusted();
        leadership.watchWrite?.()(true);
      },
    };
    const leadership = { term: 3, runId: 'r', signal: end.signal, assertTrusted: () => {} };
    const running = Promise.all(recording.work([scan]).map((work) => work.run(leadership)));
    end.abort();
    await running;
    expect(readHistory([path]).map(({ kind, run }) => `${run} ${kind}`)).toEqual([
      'r trust-begun',
      'r work-begun',
      'r trust-asked',
      'r fenced-write',
      'r trust-ended',
      'r work-settled',
      'r loop-alive',
    ]);
  });
});
