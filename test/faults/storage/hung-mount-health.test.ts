import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { createStorageCheck } from '../../../agent/health/checks/storage-check.ts';
import { HealthMonitor } from '../../../agent/health/monitor.ts';
import type { Storage } from '../../../agent/iconik/api.ts';
import { systemClock } from '../../../agent/runtime/clock.ts';
import { silentLogger } from '../../../agent/runtime/logger.ts';
import type { StorageAccess } from '../../../agent/storage/storage-access.ts';
import { childPids, until, useStorages } from '../../integration/storage/storage-fixture.ts';
import { isLong } from '../../support/long-version.ts';
import { assertCanMount, SharedMount } from '../../support/shared-mount.ts';

/** The verdict is due after 3 s (design: health); the rest is for a busy machine. */
const VERDICT_MS = 3_000;
const SLACK_MS = 1_000;
const RESOLUTION_MS = 10;
const MOST_DELAY_MS = isLong ? 20 : 100;
const WATCHED_MS = isLong ? 30_000 : 4_000;

const storages = useStorages();
let mount: SharedMount | undefined;
let monitor: HealthMonitor | undefined;
beforeAll(assertCanMount);
afterEach(async () => {
  await monitor?.stop();
  await mount?.unmount();
});

/** A storage entity as iconik has it, as far as the check looks at it. */
const entity = (id: string): Storage => ({
  id,
  name: `storage ${id}`,
  method: 'FILE',
  purpose: 'FILES',
  status: 'ACTIVE',
  settings: { write: true },
  date_modified: null,
});
const checkOf = (id: string, access: StorageAccess) =>
  createStorageCheck(
    () => entity(id),
    access,
    () => true,
  );

async function hangingMount(): Promise<SharedMount> {
  const base = await storages.directory();
  const [source, path] = [join(base, 'source'), join(base, 'mount')];
  mkdirSync(source);
  execFileSync('touch', [join(source, 'clip.mov')]);
  const made = new SharedMount({ source, path }, (server) => storages.guard().watch(server));
  await made.mount('clip.mov');
  return made;
}

function storageProcesses(): number {
  return childPids().filter((pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      // One that is stuck and was killed has no command line any more, but is no zombie either.
      return (
        /storage.process/.test(text) ||
        (text === '' && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
      );
    } catch {
      // Gone meanwhile.
      return false;
    }
  }).length;
}

it('a mount that hangs is known in time, stops nothing here, and never has more than two probes stuck on it', async () => {
  mount = await hangingMount();
  const [hung, healthy] = [await storages.open(mount.path), await storages.open()];
  await hung.placeMarker();
  const checks = [checkOf('hung', hung), checkOf('healthy', healthy)];
  const [hungCheck, healthyCheck] = checks.map(({ name }) => name);
  const verdict = (name = '') => monitor?.verdict(name).status;
  monitor = new HealthMonitor({ checks: () => checks, clock: systemClock, log: silentLogger, onChange: () => {} });
  await monitor.start();
  await until(() => verdict(hungCheck) === 'ok' && verdict(healthyCheck) === 'ok', 20_000);

  // Of both storages: the process that probes and the one that placed the marker.
  const before = storageProcesses();
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const since = performance.now();
  mount.hang();
  await until(() => verdict(hungCheck) === 'failing', VERDICT_MS + SLACK_MS);
  expect(monitor.verdict(hungCheck ?? '').reason).toContain('does not answer');
  let most = 0;
  const failing: string[] = [];
  await until(() => {
    most = Math.max(most, storageProcesses());
    if (verdict(hungCheck) !== 'failing' || verdict(healthyCheck) !== 'ok') failing.push('a verdict changed');
    return performance.now() - since > VERDICT_MS + SLACK_MS + WATCHED_MS;
  }, 60_000);
  delay.disable();
  expect(failing).toEqual([]);
  // One more probe than before; a third one that is stuck would be two more.
  expect(most).toBeLessThanOrEqual(before + 1);
  expect(delay.percentile(99) / 1e6 - RESOLUTION_MS).toBeLessThan(MOST_DELAY_MS);

  mount.answerAgain();
  await until(() => verdict(hungCheck) === 'ok', 20_000);
});
