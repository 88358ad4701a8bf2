import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createConfigStore } from '../../../agent/config-file/config-store.ts';
import { isLong } from '../../support/long-version.ts';

const PROGRAM = fileURLToPath(new URL('./saving-program.ts', import.meta.url));
const KILLS = isLong ? 200 : 10;
/** Each kill takes the start of a process; on a busy machine some seconds. */
const LIMIT_MS = 30_000 + KILLS * 6_000;
/** Large enough that a write takes a moment in which it can be cut. */
const PADDING = `; ${'a comment that makes the file long '.repeat(60_000)}\r\n`;
const file = (bitrate: number) =>
  `[main]\r\napp-id = a\r\nauth-token = t\r\nstorage-gateway-id = g\r\nproxy-bitrate = ${bitrate}\r\n${PADDING}vendor_key = kept\r\n`;

it(
  `config.ini is whole after each of ${KILLS} kills in the middle of a save, and the next save clears up`,
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'isg-pro-killed-save-'));
    const path = join(dir, 'config.ini');
    const inTheMiddle: boolean[] = [];
    try {
      writeFileSync(path, file(3_000_000));
      for (let kill = 0; kill < KILLS; kill += 1) {
        const child = fork(PROGRAM, [path], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
        await once(child, 'message');
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
        for (const name of ['config.ini', 'config.ini.bak']) {
          const text = readFileSync(join(dir, name), 'utf8');
          const bitrate = Number(/^proxy-bitrate = (\d+)/m.exec(text)?.[1]);
          // compared as a whole: no byte is missing, none is of another version
          expect(text === file(bitrate), `${name} after kill ${kill + 1}`).toBe(true);
        }
        inTheMiddle.push(readdirSync(dir).length > 2);
      }
      process.stdout.write(`${inTheMiddle.filter(Boolean).length} of ${KILLS} kills hit a file being written\n`);
      await createConfigStore(path).write({ 'log-level': 'warn' });
      expect(readdirSync(dir).toSorted()).toEqual(['config.ini', 'config.ini.bak']);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
  LIMIT_MS,
);
