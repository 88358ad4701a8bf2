import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaCluster } from '../support/media-cluster.ts';
import { type Clip, growSlowly, makeClips } from './clips.ts';
import { uploadAsUser } from './cloud-asset.ts';
import type { LiveView } from './live-view.ts';

/** What happened, for the check of the outcome. */
export interface Story {
  clips: Clip[];
  /** From the SIGKILL of the leader to the first term of another node, milliseconds. */
  failoverMs: number;
  problems: string[];
}

/** Clips of this folder get no proxy by themselves; one is ordered through iconik. */
export const ORDERED_FOLDER = 'archive';
/** Where the download that iconik orders is to go. */
const RESTORED_FOLDER = 'restored';
const DELETED_CLIP = 'stills/Logo.png';
const GROWING_CLIP = 'ingest/Growing.mov';
const LOOK_MS = 250;

/** Plays the demo on a fresh cluster. Throws, with the reason, what keeps it from going on. */
export async function playStory(cluster: MediaCluster, view: LiveView, signal: AbortSignal): Promise<Story> {
  view.say('Generating clips');
  const clips = await makeClips(cluster.mediaDir, { signal });
  const source = clips.find(({ kind }) => kind === 'video');
  if (!source) throw new Error('no video clip was generated');
  view.say(`${clips.length} files lie on the storage; starting the nodes`);
  for (const { name, roles } of cluster.nodes) {
    cluster.startNode(name);
    view.say(`Node ${name} starts: ${roles.join(', ')}`);
  }
  const growing = grow(cluster, signal);
  const cloud = await uploadAsUser(cluster.standIn, {
    storageId: cluster.account.cloud.filesId,
    bytes: randomBytes(6_000_000),
    name: 'From the cloud.dat',
  });
  await until(cluster, view, signal, 'half of the files are in iconik', async () => {
    const { files } = await cluster.counts();
    return (files.ingested ?? 0) >= clips.length / 2;
  });
  const failoverMs = await killLeader(cluster, view, signal);
  await growing;
  clips.push({ path: GROWING_CLIP, kind: 'video', duplicateOf: source.path });
  await until(cluster, view, signal, 'all files are in iconik and all jobs have ended', () =>
    isQuiet(cluster, clips.length),
  );

  view.say('Ordering through iconik: one download, one transcode, one deletion');
  const problems = await giveOrders(cluster, view, { signal, clips, cloudFileSetId: cloud.fileSetId });
  clips.push({ path: `${RESTORED_FOLDER}/${cloud.name}`, kind: 'document' });
  return { clips: clips.filter(({ path }) => path !== DELETED_CLIP), failoverMs, problems };
}

function grow(cluster: MediaCluster, signal: AbortSignal): Promise<void> {
  const [target, source] = [GROWING_CLIP, 'interviews/Interview 01.mov'].map((path) => join(cluster.mediaDir, path));
  return growSlowly(target ?? '', source ?? '', { steps: 12, intervalMs: 1_000, signal });
}

async function until(
  cluster: MediaCluster,
  view: LiveView,
  signal: AbortSignal,
  what: string,
  reached: () => Promise<boolean>,
): Promise<void> {
  while (!(await cluster.hasSchema()) || !(await reached())) {
    if (await cluster.hasSchema()) await view.draw();
    const dead = cluster.nodes.find(({ process: child }) => child?.exitCode !== null && child?.exitCode !== undefined);
    if (dead) throw new Error(`node ${dead.name} ended by itself:\n${cluster.tail(dead.name)}`);
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {
      throw new Error(`stopped while waiting until ${what}`, { cause: signal.reason });
    });
  }
  await view.draw();
}

async function killLeader(cluster: MediaCluster, view: LiveView, signal: AbortSignal): Promise<number> {
  const before = await cluster.leader();
  if (!before) throw new Error('nobody leads');
  view.say(`Killing the leader ${before.name} (SIGKILL)`);
  const killedMs = performance.now();
  await cluster.endNode(before.name, 'SIGKILL');
  for (;;) {
    const now = await cluster.leader();
    if (now && now.term > before.term) {
      const failoverMs = Math.round(performance.now() - killedMs);
      view.say(`Node ${now.name} leads (term ${now.term}) after ${failoverMs} ms`);
      return failoverMs;
    }
    await sleep(10, undefined, { signal });
  }
}

/** Nothing is on its way any more. */
async function isQuiet(cluster: MediaCluster, expectedFiles: number): Promise<boolean> {
  const { files, jobs, openOrigins } = await cluster.counts();
  const finished = (files.ingested ?? 0) + (files.empty ?? 0);
  const active = Object.keys(jobs).filter((key) => key.endsWith(' queued') || key.endsWith(' leased'));
  return finished >= expectedFiles && active.length === 0 && openOrigins === 0;
}

interface Orders {
  signal: AbortSignal;
  clips: readonly Clip[];
  cloudFileSetId: string;
}

async function giveOrders(cluster: MediaCluster, view: LiveView, orders: Orders): Promise<string[]> {
  const { standIn, storageId } = cluster;
  const fileAt = (path: string) => {
    const found = standIn
      .state()
      .files.find(
        (file) => file.storage_id === storageId && `${String(file.directory_path)}/${String(file.name)}` === path,
      );
    if (!found) throw new Error(`iconik does not know ${path}`);
    return found.id;
  };
  const ordered = orders.clips.find(({ path }) => path.startsWith(`${ORDERED_FOLDER}/`));
  if (!ordered) throw new Error(`there is no clip in ${ORDERED_FOLDER}`);
  const given = {
    download: standIn.orderDownload({ fileSetId: orders.cloudFileSetId, storageId, directoryPath: RESTORED_FOLDER }),
    transcode: standIn.orderTranscode({ fileId: fileAt(ordered.path) }),
    deletion: standIn.orderDelete({ fileId: fileAt(DELETED_CLIP) }),
  };
  const statusOf = (jobId: string) => String(standIn.state().jobs.find(({ id }) => id === jobId)?.status);
  const isOver = (jobId: string) => ['FINISHED', 'FAILED', 'ABORTED'].includes(statusOf(jobId));
  await until(cluster, view, orders.signal, 'the ordered work is done', async () => {
    const { queues } = standIn.state();
    const waiting = [queues.transfersTo, queues.deletions, queues.transcodes].flat().length;
    return waiting === 0 && Object.values(given).every(({ jobId }) => isOver(jobId)) && (await isQuiet(cluster, 0));
  });
  return Object.entries(given)
    .filter(([, { jobId }]) => statusOf(jobId) !== 'FINISHED')
    .map(([name, { jobId }]) => `the job of the ordered ${name} is ${statusOf(jobId)}`);
}
