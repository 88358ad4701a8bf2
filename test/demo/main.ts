import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Role } from '../../agent/contract/index.ts';
import { coerceError } from '../../agent/runtime/errors.ts';
import { MediaCluster } from '../support/media-cluster.ts';
import type { ClipKind } from './clips.ts';
import { gatherEvidence } from './evidence.ts';
import { LiveView } from './live-view.ts';
import { checkOutcome, type Outcome } from './outcome.ts';
import { ORDERED_FOLDER, playStory, type Story } from './story.ts';

/**
 * `npm run demo`: the whole product on one machine. Database, stand-in iconik and three nodes; the leader is killed
 * half-way; at the end what iconik holds is compared with what lies on the disk.
 */

const NODES: { name: string; roles: Role[] }[] = [
  { name: 'node-a', roles: ['MAIN', 'CHECKSUM', 'TRANSCODE', 'TRANSFER'] },
  { name: 'node-b', roles: ['MAIN', 'CHECKSUM'] },
  { name: 'node-c', roles: ['MAIN', 'TRANSCODE', 'TRANSFER'] },
];
/** The demo fails rather than hang. */
const LIMIT_MS = 225_000;
/** Faults of `--faults`: what a bad day of a cloud service looks like. */
const FAULTS = { status: { rate: 0.05, code: 503 }, dropAfterCommit: { rate: 0.02 }, seed: 11 };

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    faults: { type: 'boolean', default: false },
  },
});

interface Summary extends Omit<Outcome, 'problems'> {
  ok: boolean;
  failoverMs: number;
  elapsedMs: number;
  problems?: string[];
}

function createCluster(dir: string): Promise<MediaCluster> {
  return MediaCluster.create({
    dir,
    nodes: NODES,
    storageSettings: ({ filesId }) => ({
      upload_files: true,
      remote_storage_id: filesId,
      remote_path: 'originals',
      transcode_ignore: [`${ORDERED_FOLDER}/*`],
    }),
    // Small parts, so that the master goes up in several; a short settle time, because the stand-in is quick.
    config: { 'upload-chunk-size': 5_242_880, 'iconik-settle-ms': 3_000 },
  });
}

async function judge(cluster: MediaCluster, story: Story): Promise<Outcome> {
  const kinds = new Map(story.clips.map(({ path, kind }) => [path.normalize('NFC'), kind]));
  const kindOf = (path: string): ClipKind => kinds.get(path.normalize('NFC')) ?? 'document';
  const evidence = await gatherEvidence(cluster, kindOf);
  const outcome = checkOutcome(evidence);
  const present = new Set(evidence.media.map(({ path }) => path.normalize('NFC')));
  const lost = [...kinds.keys()].filter((path) => !present.has(path)).map((path) => `${path} is not on the storage`);
  const { violations, answerFaults } = cluster.standIn.state();
  const broken = [...violations, ...answerFaults].map(
    ({ method, path, faults }) =>
      `${method} ${path}: ${faults.map(({ field, message }) => `${field} ${message}`).join(', ')}`,
  );
  const contents = new Set(evidence.media.filter(({ kind }) => kind !== 'empty').map(({ md5 }) => md5)).size;
  const counted = contents === outcome.assets ? [] : [`${contents} distinct contents, but ${outcome.assets} assets`];
  return { ...outcome, problems: [...story.problems, ...outcome.problems, ...lost, ...broken, ...counted] };
}

async function run(cluster: MediaCluster, signal: AbortSignal): Promise<Summary> {
  const startedMs = performance.now();
  const view = new LiveView(cluster);
  if (values.faults) {
    cluster.standIn.setFaults(FAULTS);
    view.say('iconik answers 5 % of calls with 503 and drops 2 % of answers after the commit');
  }
  const story = await playStory(cluster, view, signal);
  cluster.standIn.setFaults({});
  view.say('Comparing iconik with the disk');
  const { problems, ...outcome } = await judge(cluster, story);
  const elapsedMs = Math.round(performance.now() - startedMs);
  for (const problem of problems) view.say(`WRONG: ${problem}`);
  return {
    ok: problems.length === 0,
    files: outcome.files,
    assets: outcome.assets,
    proxies: outcome.proxies,
    uploads: outcome.uploads,
    failoverMs: story.failoverMs,
    duplicates: outcome.duplicates,
    elapsedMs,
    ...(problems.length > 0 ? { problems } : {}),
  };
}

async function keepUp(cluster: MediaCluster, stop: AbortSignal): Promise<void> {
  process.stdout.write(
    `Still running: iconik at ${cluster.standIn.url}, media in ${cluster.mediaDir}. Stop with Ctrl-C.\n`,
  );
  await new Promise((resolve) => stop.addEventListener('abort', resolve, { once: true }));
}

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => stop.abort(new Error(`stopped by ${name}`)));
  const dir = mkdtempSync(join(tmpdir(), 'isg-pro-demo-'));
  const cluster = await createCluster(dir);
  let summary: Summary | null = null;
  let reason = '';
  try {
    const limit = AbortSignal.timeout(LIMIT_MS);
    summary = await run(cluster, AbortSignal.any([stop.signal, limit]));
    if (values.keep && !stop.signal.aborted) await keepUp(cluster, stop.signal);
  } catch (thrown) {
    const error = coerceError(thrown);
    const cause =
      error.cause instanceof Error && error.cause.cause instanceof Error ? ` (${error.cause.cause.message})` : '';
    reason = stop.signal.aborted ? 'stopped' : `${error.message}${cause}`;
  } finally {
    await cluster.stop();
  }
  const isGood = summary?.ok === true;
  if (isGood || stop.signal.aborted) rmSync(dir, { recursive: true, force: true });
  else process.stdout.write(`The logs of the nodes are kept in ${dir}\n`);
  if (values.json) process.stdout.write(`${JSON.stringify(summary ?? { ok: false, reason })}\n`);
  else
    process.stdout.write(
      isGood ? 'All is as it should be.\n' : `The demo failed: ${reason || (summary?.problems ?? []).join('; ')}\n`,
    );
  return isGood ? 0 : 1;
}

process.exit(await main());
