import { secondsSinceCreated, versionsInUse } from '../../../db/queries/asset-version.ts';
import type { IngestRow } from '../../../db/queries/ingest.ts';
import { rowsByKeys } from '../../../db/queries/named-file.ts';
import { createLiving } from '../../../iconik/creation/create-living.ts';
import { IsgError } from '../../../runtime/errors.ts';
import type { IngestContext } from './ingest-context.ts';
import { leaderRight } from './ingest-context.ts';
import { livingAsset } from './living-asset.ts';
import { versionOfFile } from './version-plan.ts';

/** How far the clocks of iconik and of the database may be apart. */
const CLOCKS_APART_MS = 2 * 60_000;
/** Pause between two looks at a version that is still on its way. */
const LOOK_AGAIN_MS = 2000;
/** States of a file that will get an asset, or a new content, without anybody's help. */
const ON_ITS_WAY = ['seen', 'growing', 'ready', 'hashing', 'hashed', 'ingesting'];

function later(why: string, retryAfterMs: number): IsgError {
  return new IsgError('creation-in-doubt', why, { retry: 'transient', fields: { retryAfterMs } });
}

/** Throws while the version before is younger than the storage's throttle allows. */
async function obeyThrottle(context: IngestContext, previous: { assetId: string; versionId: string | null }) {
  const throttleS = context.storage.settings.auto_version_ingest_throttle_value ?? 0;
  if (throttleS <= 0) return;
  const age = await secondsSinceCreated(context.database, previous);
  if (age !== null && age < throttleS) {
    throw later(
      'The version before was ingested just now; the file waits as the storage asks.',
      (throttleS - age) * 1000,
    );
  }
}

/** Makes the version, once. Its id is the one that the answer has and the asset did not. */
async function createVersion(
  context: IngestContext,
  row: IngestRow,
  previous: { assetId: string; versionId: string | null },
): Promise<string> {
  const { api, database, leadership } = context;
  const { assetId, versionId } = previous;
  const limits = { signal: leadership.signal };
  const body = { copy_metadata: true, ...(versionId === null ? {} : { source_version_id: versionId }) };
  return createLiving(context.createOnce, leaderRight(context), {
    kind: 'version',
    key: `${assetId}/${row.storageId}/${row.pathKey}`,
    create: async (signal) => {
      const before = new Set((await api.assets.get(assetId, { signal })).versions.map(({ id }) => id));
      const made = (await api.assets.createVersion(assetId, body, { signal })).filter(({ id }) => !before.has(id));
      const [version] = made;
      if (version !== undefined && made.length === 1) return version;
      throw new IsgError('iconik-answer-unreadable', 'iconik did not say which version of the asset it made.', {
        retry: 'transient',
        fields: { assetId, sent: true, fromIconik: true },
      });
    },
    find: async (attempt) => {
      const [asset, userId] = [await api.assets.get(assetId, limits), await api.users.currentId(limits)];
      const used = await versionsInUse(database, assetId);
      for (const version of asset.versions) {
        const madeAt = Date.parse(version.date_created ?? '');
        const isOurs = version.created_by_user === userId && madeAt >= attempt.startedAt.getTime() - CLOCKS_APART_MS;
        if (!isOurs || version.status === 'DELETED' || used.has(version.id) || version.id === versionId) continue;
        if (!(await attempt.isTaken(version.id))) return version;
      }
      return null;
    },
    isUsable: async (id) => {
      const asset = await api.assets.get(assetId, limits);
      return asset.versions.some((version) => version.id === id && version.status !== 'DELETED');
    },
  });
}

/**
 * Joins a file to the asset of the version before it, as a new version; null when the file is none, or the numbers have a
 * gap (then it is an asset of its own). Waits for a version before it that is still on its way.
 */
export async function joinVersion(
  context: IngestContext,
  row: IngestRow,
): Promise<{ assetId: string; versionId: string } | null> {
  const version = versionOfFile(row.path, context.storage.settings);
  if (version === null) return null;
  const candidates = await rowsByKeys(context.database, row.storageId, version.predecessorKeys);
  const ingested = candidates.find((candidate) => candidate.state === 'ingested' && candidate.assetId !== null);
  if (ingested === undefined) {
    if (candidates.some((candidate) => ON_ITS_WAY.includes(candidate.state))) {
      throw later('The version before is still being ingested; the file waits for it.', LOOK_AGAIN_MS);
    }
    return null;
  }
  const { assetId, versionId } = ingested;
  if (assetId === null || (await livingAsset(context, assetId)) === null) return null;
  await obeyThrottle(context, { assetId, versionId });
  return { assetId, versionId: await createVersion(context, row, { assetId, versionId }) };
}
