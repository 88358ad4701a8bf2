import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { hostname, release, totalmem, type, uptime, version } from 'node:os';
import { join, relative } from 'node:path';
import { chooseDatabase } from '../../cluster/cluster-database.ts';
import type { Entities } from '../../cluster/entities.ts';
import type { LoadedConfig, NodeConfig } from '../../config/load-config.ts';
import { resolveTunables, resolveVisibilityTimeout } from '../../config/precedence.ts';
import type { ClusterLook } from '../../db/queries/doctor.ts';
import { findFfmpeg } from '../../roles/transcode/ffmpeg/find-ffmpeg.ts';
import { createChildGuard } from '../../runtime/child-guard/child-guard.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { VERSION } from '../../version.ts';
import { lookAtDatabase } from '../look-at-database.ts';
import { lookAtIconik } from '../look-at-iconik.ts';

// What a support bundle says beside the diagnosis and the logs. Nothing here throws: what cannot be had is left out.

/** What iconik and the database know of the node. May hold secrets: redact what is written of it. */
export interface OutsideFacts {
  entities: Entities | null;
  cluster: ClusterLook | null;
  /** What was learnt on the way and must not leave the machine. */
  secrets: string[];
}

/** Asks iconik for the node's entities, and the cluster's database for its members. */
export async function lookOutside(loaded: LoadedConfig, clock: Clock = systemClock): Promise<OutsideFacts> {
  if (loaded.kind === 'invalid') return { entities: null, cluster: null, secrets: [] };
  const { found } = await lookAtIconik(loaded.config, clock);
  if (found === null) return { entities: null, cluster: null, secrets: [] };
  const { entities, nodes } = found;
  const choice = chooseDatabase(entities, nodes);
  if (choice.kind !== 'cluster') return { entities, cluster: null, secrets: [] };
  const { cluster } = await lookAtDatabase(choice.uri, entities.cluster?.id ?? entities.gateway.id, clock);
  return { entities, cluster, secrets: [choice.uri] };
}

/** Values that were said in the configuration and are secrets. */
export function secretsOf({ authToken, dbConnectionUri, httpsProxy }: NodeConfig): string[] {
  return [authToken.reveal(), dbConnectionUri?.reveal(), httpsProxy?.includes('@') ? httpsProxy : undefined].filter(
    (secret) => secret !== undefined,
  );
}

/** The settings with their tiers, and what else of the configuration is no secret. */
export function settingsOf(loaded: LoadedConfig, entities: Entities | null): unknown {
  if (loaded.kind === 'invalid') return { problems: loaded.problems };
  const { authToken: _, dbConnectionUri: uri, httpsProxy, ...rest } = loaded.config;
  return {
    warnings: loaded.warnings,
    tunables: resolveTunables({
      configIni: rest.tunables,
      node: entities?.gateway.settings,
      cluster: entities?.cluster?.settings,
    }),
    visibilityTimeout: resolveVisibilityTimeout(entities?.cluster && { ...entities.cluster }),
    // Of secrets only whether there is one.
    config: { ...rest, dbConnectionUri: uri !== undefined, httpsProxy: httpsProxy !== undefined },
  };
}

/** iconik's entities without what is secret in them. */
export function entitiesOf(entities: Entities | null): unknown {
  if (entities === null) return { problem: 'iconik did not answer; doctor.txt says why.' };
  const { gateway, cluster, storages } = entities;
  return {
    gateway,
    cluster: cluster && { ...cluster, db_connection_uri: cluster.db_connection_uri ? '***' : '' },
    storages: [...storages.values()].map(({ settings, ...storage }) => ({
      ...storage,
      settings: { ...settings, metadata_conversion_url_headers: undefined },
    })),
  };
}

const FFMPEG_MS = 10_000;

/** Versions of everything that takes part. Those of the desktop application are in app-state.json. */
export async function versionsOf(loaded: LoadedConfig): Promise<unknown> {
  return {
    agent: VERSION,
    runtime: process.versions,
    system: { type: type(), release: release(), version: version(), arch: process.arch, host: hostname() },
    memoryBytes: totalmem(),
    upSeconds: Math.round(uptime()),
    user: process.getuid?.() ?? null,
    ffmpeg: loaded.kind === 'ok' ? await ffmpegOf(loaded.config) : null,
  };
}

async function ffmpegOf({ ffmpegPath, ffprobePath }: NodeConfig): Promise<unknown> {
  const guard = await createChildGuard();
  try {
    return await findFfmpeg({ ffmpegPath, ffprobePath, guard, signal: AbortSignal.timeout(FFMPEG_MS) });
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : String(thrown) };
  } finally {
    await guard.stop();
  }
}

/** Files beyond this number are counted, not named. */
const MOST_NAMED = 2_000;

/** One line for each file of a folder: size and path. An embedded database is one line. */
export async function listFolder(folder: string): Promise<string> {
  const lines: string[] = [];
  let more = 0;
  const add = (line: string) => {
    if (lines.length < MOST_NAMED) lines.push(line);
    else more += 1;
  };
  const walk = async (directory: string): Promise<void> => {
    for (const entry of await entriesOf(directory, add)) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) await walk(path);
      else add(await lineOf(path, relative(folder, path)));
    }
  };
  await walk(folder);
  return `${folder}\n${lines.join('\n')}\n${more > 0 ? `and ${more} more files\n` : ''}`;
}

async function entriesOf(directory: string, add: (line: string) => void): Promise<Dirent[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.sort((a, b) => a.name.localeCompare(b.name));
  } catch (thrown) {
    add(`(${directory} cannot be read: ${codeOf(thrown)})`);
    return [];
  }
}

async function lineOf(path: string, name: string): Promise<string> {
  try {
    const { size, mtime } = await stat(path);
    return `${String(size).padStart(14)}  ${mtime.toISOString()}  ${name}`;
  } catch (thrown) {
    return `${codeOf(thrown).padStart(14)}  ${''.padEnd(24)}  ${name}`;
  }
}

/** Why the file system refused, in its own word. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown';
}
