import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from './host-bench.ts';

const PARENT = fileURLToPath(new URL('./parent-program.ts', import.meta.url));
const AGENT = fileURLToPath(new URL('../../../agent/main.ts', import.meta.url));
const CONFIG = `[main]
iconik-url = http://127.0.0.1:9/
app-id = 6a0b8a1c-0000-4000-8000-000000000001
auth-token = not-a-token
storage-gateway-id = 6a0b8a1c-0000-4000-8000-000000000002
`;

/** Living processes and their parents; what only waits to be reaped is dead. */
function processes(): Map<number, number> {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' }).trim().split('\n');
  const living = rows.map((row) => row.trim().split(/\s+/)).filter(([, , stat = '']) => !stat.startsWith('Z'));
  return new Map(living.map(([pid, parent]) => [Number(pid), Number(parent)]));
}

function descendantsOf(ancestor: number): number[] {
  const parents = processes();
  const found = [ancestor];
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child);
  // `ps` itself is a child of the test, not of the ancestor.
  return found.slice(1);
}

const onWindows = process.platform === 'win32';
const claim = `when main is killed${onWindows ? ' (skipped: Windows has no ps)' : ''}`;

describe.runIf(!onWindows)(claim, { timeout: 60_000 }, () => {
  const folders: string[] = [];
  let parent: ChildProcess | null = null;
  afterEach(() => {
    parent?.kill('SIGKILL');
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  async function supervise(config: string | null) {
    const folder = mkdtempSync(join(tmpdir(), 'main-killed-'));
    folders.push(folder);
    const configPath = join(folder, 'config.ini');
    if (config !== null) writeFileSync(configPath, config);
    const said: string[] = [];
    const program = fork(PARENT, [AGENT, configPath, join(folder, 'data')], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    parent = program;
    program.stdout?.setEncoding('utf8').on('data', (text: string) => said.push(...text.split('\n')));
    return { program, said };
  }

  it.each([
    ['set-up', null],
    ['waiting-for-iconik', CONFIG],
  ])('the real agent (%s) and all its children are gone within 3 s', async (phase, config) => {
    const { program, said } = await supervise(config);
    await until('the phase', 30_000, () => said.includes(`phase ${phase}`));
    const family = descendantsOf(program.pid ?? 0);
    expect(family.length).toBeGreaterThan(0);
    process.kill(program.pid ?? 0, 'SIGKILL');
    await until('nobody left', 3_000, () => {
      const living = processes();
      return family.every((pid) => !living.has(pid));
    });
  });

  it('the real agent with a frozen process is gone as soon as it thaws', async () => {
    const { program, said } = await supervise(CONFIG);
    await until('the phase', 30_000, () => said.includes('phase waiting-for-iconik'));
    const family = descendantsOf(program.pid ?? 0);
    const [agent = 0] = family;
    process.kill(agent, 'SIGSTOP');
    process.kill(program.pid ?? 0, 'SIGKILL');
    process.kill(agent, 'SIGCONT');
    await until('nobody left', 3_000, () => {
      const living = processes();
      return family.every((pid) => !living.has(pid));
    });
  });
});
