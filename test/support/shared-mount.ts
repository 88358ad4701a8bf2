import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Throws, with words, unless this machine can make FUSE mounts as the tests of hung mounts need them. */
export function assertCanMount(): void {
  const missing = [
    !existsSync('/dev/fuse') && 'the device /dev/fuse (give the container --device /dev/fuse --cap-add SYS_ADMIN)',
    !existsSync('/usr/bin/bindfs') && 'bindfs (Debian: apt-get install bindfs fuse3)',
    process.getuid?.() !== 0 && 'root, for mount and umount',
  ].filter((what) => what !== false);
  if (missing.length > 0) throw new Error(`This test mounts file systems and needs ${missing.join(', ')}.`);
}

/** A share as one node mounts it: a FUSE file system over a folder, which can fail as network file systems do. */
export class SharedMount {
  readonly source: string;
  readonly path: string;
  readonly #watch: (server: ChildProcess) => void;
  #server: ChildProcess | null = null;

  /** `watch` is told of each file server that is started, to end it when this process is gone. */
  constructor(place: { source: string; path: string }, watch: (server: ChildProcess) => void) {
    this.source = place.source;
    this.path = place.path;
    this.#watch = watch;
  }

  /** Mounts it; resolves when its files show. `source` must hold the file `proof`. */
  async mount(proof: string): Promise<void> {
    assertCanMount();
    mkdirSync(this.path, { recursive: true });
    const options = ['-f', '--no-allow-other', '-o', 'attr_timeout=0,entry_timeout=0'];
    this.#server = spawn('bindfs', [...options, this.source, this.path], { stdio: 'ignore' });
    this.#watch(this.#server);
    const deadline = performance.now() + 10_000;
    while (!existsSync(`${this.path}/${proof}`)) {
      if (performance.now() > deadline) throw new Error(`bindfs did not mount ${this.path}`);
      await sleep(20);
    }
  }

  /** The server stops answering: every call on the mount hangs. */
  hang(): void {
    this.#server?.kill('SIGSTOP');
  }

  answerAgain(): void {
    this.#server?.kill('SIGCONT');
  }

  setReadOnly(isReadOnly: boolean): void {
    execFileSync('mount', ['-o', `remount,bind,${isReadOnly ? 'ro' : 'rw'}`, this.path]);
  }

  /** Unmounts it: its folder is there and empty. Also ends calls that hang. Safe to call when it is not mounted. */
  async unmount(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    execFileSync('fusermount3', ['-uz', this.path]);
    // Unmounting alone does not free calls that hang.
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  }

  /** Unmounts it and removes its folder. */
  async remove(): Promise<void> {
    await this.unmount();
    rmdirSync(this.path);
  }
}
