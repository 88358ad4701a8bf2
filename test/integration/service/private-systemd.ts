import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BOOT = fileURLToPath(new URL('./private-systemd.sh', import.meta.url));
const SOURCES = fileURLToPath(new URL('../../../', import.meta.url));
const BOOT_LIMIT_MS = 30_000;

/** Where this process stands in the machine's second version of control groups; null where there is none. */
function controlGroup(): string | null {
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  return mount === undefined || own === undefined ? null : join(mount, own);
}

function removeGroup(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(folder, entry.name));
  rmdirSync(folder);
}

/** A systemd that runs beside this machine's own start system, in namespaces of its own. Ends with this process at the latest. */
export class PrivateSystemd {
  readonly #outer: ChildProcess;
  readonly #pid: number;
  readonly #group: string;

  private constructor(outer: ChildProcess, pid: number, group: string) {
    this.#outer = outer;
    this.#pid = pid;
    this.#group = group;
  }

  /** Why there can be none here; the systemd otherwise. */
  static async boot(): Promise<PrivateSystemd | string> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can start a systemd';
    const parent = controlGroup();
    if (parent === null || !existsSync('/lib/systemd/systemd'))
      return 'there is no systemd, or no second version of control groups';
    const group = join(parent, `isg-pro-test-${process.pid}`);
    const script = 'echo $$ >"$1/cgroup.procs" && shift && exec setpriv --pdeathsig KILL "$@"';
    const namespaces = ['unshare', '--pid', '--mount', '--uts', '--ipc', '--cgroup', '--fork', '--kill-child'];
    const args = ['-c', script, 'sh', group, ...namespaces, BOOT, SOURCES, process.execPath];
    try {
      mkdirSync(group);
    } catch (thrown) {
      return `no control group can be made: ${String(thrown)}`;
    }
    const outer = spawn('sh', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    outer.stderr.on('data', (data: Buffer) => {
      said += data.toString('utf8');
    });
    const deadlineMs = performance.now() + BOOT_LIMIT_MS;
    while (outer.exitCode === null && performance.now() < deadlineMs) {
      const pid = Number(onlyChild(outer.pid));
      const systemd = new PrivateSystemd(outer, pid, group);
      if (pid > 0 && systemd.run('systemctl', 'is-system-running').stdout.trim() === 'running') return systemd;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await new PrivateSystemd(outer, 0, group).end();
    return `a systemd in namespaces of its own does not start here: ${said.trim().split('\n').at(-1) ?? ''}`;
  }

  /** Runs a program beside it, and tells how that ended. */
  run(...command: string[]): { status: number | null; stdout: string; stderr: string } {
    const args = ['-t', String(this.#pid), '-p', '-m', '-C', ...command];
    return spawnSync('nsenter', args, { encoding: 'utf8', timeout: 120_000 });
  }

  /** A path in there as it is seen from here. */
  path(inside: string): string {
    return `/proc/${this.#pid}/root${inside}`;
  }

  /** Ends it with all it started. */
  async end(): Promise<void> {
    this.#outer.kill('SIGKILL');
    if (this.#outer.exitCode === null && this.#outer.signalCode === null) await once(this.#outer, 'exit');
    const deadlineMs = performance.now() + BOOT_LIMIT_MS;
    // The last processes leave their groups a moment after they were killed.
    for (;;) {
      try {
        return removeGroup(this.#group);
      } catch (thrown) {
        if (performance.now() > deadlineMs) throw thrown;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

/** The only child of a process; '' while it has none. */
function onlyChild(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  } catch {
    // ignored because a process that has gone has no child
    return '';
  }
}
