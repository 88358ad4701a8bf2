import { coerceError, IsgError } from '../../runtime/errors.ts';
import type { HttpAnswer } from '../../storage/storage-access.ts';
import type { GcsComposition } from '../api.ts';
import { composeBody, crc32cOf, type GcsFacts, gcsFactsOf } from './gcs-answers.ts';
import { removeComponents } from './gcs-clean-up.ts';
import { sendComponents } from './gcs-components.ts';
import {
  ComponentPlaces,
  formerUpload,
  freshSession,
  type GcsComposeDeps,
  type GcsSession,
  type GcsUpload,
  savedSession,
  saveSession,
} from './gcs-session.ts';
import { isExpiredAnswer, sendRepeatedly } from './object-store-http.ts';
import { planGroups } from './part-plan.ts';

/** Rounds of sending and composing within one call, before the job's own retry takes over. */
const MAX_ROUNDS = 2;

/** The store copies nothing, but it may be slow with many components, milliseconds. */
const COMPOSE_DEADLINE_MS = 2 * 60_000;

/** How iconik says that it does not offer something, as opposed to being away. */
const NOT_OFFERED = /^iconik-(rejected|not-found|forbidden|conflict|answer-unreadable)$/;

/** `missing`: the store does not hold the components that we remember. */
type ComposeOutcome = 'done' | 'missing' | 'refused';

/**
 * Uploads a file to GCS as components, several at once, that the store then composes (README.md of this folder). What an
 * earlier attempt has sent is not sent again. `refused`: iconik or the store does not take the file in this way; nothing is left
 * there, and it should go through a session.
 */
export async function uploadByComponents(deps: GcsComposeDeps, upload: GcsUpload): Promise<'done' | 'refused'> {
  const saved = savedSession(upload);
  if (!saved) await dropFormer(deps, upload);
  const session = saved ?? freshSession(deps, upload);
  if (!session.isComposed) {
    const places = await offeredPlaces(deps, upload, session);
    if (!places && session.finished.size === 0) return 'refused';
    // Before the first byte: whoever goes on after a kill must know to look for components.
    if (!saved) await saveSession(upload, session);
    const outcome = places ? await sendAndCompose(deps, upload, { session, places }) : 'refused';
    if (outcome === 'done') await saveComposed(upload, session);
    await dropOwn(deps, upload, session);
    return outcome;
  }
  await dropOwn(deps, upload, session);
  return 'done';
}

async function saveComposed(upload: GcsUpload, session: GcsSession): Promise<void> {
  // From here on the components may be gone; the object must not be made of them again.
  session.isComposed = true;
  await saveSession(upload, session);
}

/** Where components go; null when iconik does not offer that or no place to compose them, which is asked before a byte is sent. */
async function offeredPlaces(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  session: GcsSession,
): Promise<ComponentPlaces | null> {
  try {
    const places = new ComponentPlaces(deps, upload, session);
    await places.of(1);
    await composition(deps, upload, null);
    return places;
  } catch (thrown) {
    if (NOT_OFFERED.test(coerceError(thrown).code)) return null;
    throw thrown;
  }
}

function composition(
  deps: GcsComposeDeps,
  { source, record }: GcsUpload,
  group: number | null,
): Promise<GcsComposition> {
  const { contentType, signal } = source.args;
  return deps.api.files.gcsComposeUrl(record.assetId, record.fileId, { group, contentType }, { signal });
}

async function sendAndCompose(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  run: { session: GcsSession; places: ComponentPlaces },
): Promise<'done' | 'refused'> {
  const { session } = run;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if ((await sendComponents(deps, upload, run)) === 'refused') return 'refused';
    // Kept before the object appears, so that another attempt composes the same components.
    await saveSession(upload, session);
    const outcome = await composeAll(deps, upload, run);
    if (outcome !== 'missing') return outcome;
    // What is there is looked at, and only what is not is sent again.
    session.finished = new Map();
    session.mayHoldMore = true;
  }
  const message = `The object store lost parts of ${upload.source.args.path} ${MAX_ROUNDS} times; it will be tried again later.`;
  throw new IsgError('upload-refused', message, { retry: 'transient' });
}

interface Piece extends GcsFacts {
  key: string;
  sizeBytes: number;
}

async function composeAll(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  run: { session: GcsSession; places: ComponentPlaces },
): Promise<ComposeOutcome> {
  const ordered = [...run.session.finished.values()].sort((a, b) => a.number - b.number);
  const components: Piece[] = await Promise.all(
    ordered.map(async (component) => ({ ...component, key: (await run.places.of(component.number)).key })),
  );
  const groups = planGroups(components);
  const pieces: Piece[] = groups.length === 0 ? components : [];
  for (const [at, group] of groups.entries()) {
    const composed = await compose(deps, upload, { pieces: group, group: at + 1 });
    if (typeof composed === 'string') return composed;
    pieces.push(composed);
  }
  const whole = await compose(deps, upload, { pieces, group: null });
  return typeof whole === 'string' ? whole : 'done';
}

/** Has the store put pieces together, into the object (group null) under a confirmed lease. */
async function compose(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  work: { pieces: readonly Piece[]; group: number | null },
): Promise<Piece | 'missing' | 'refused'> {
  const { pieces, group } = work;
  let place = await composition(deps, upload, group);
  let answer = await sendCompose(deps, upload, { ...work, url: place.composeUrl });
  if (isExpiredAnswer(answer)) {
    place = await composition(deps, upload, group);
    answer = await sendCompose(deps, upload, { ...work, url: place.composeUrl });
  }
  if (answer.status === 404 || answer.status === 412) return 'missing';
  if (answer.status !== 200) return 'refused';
  const facts = gcsFactsOf(answer.headers);
  const expected = crc32cOf(pieces);
  // The digest of the whole follows from those of the parts, each of which had the MD5 of the file's own bytes.
  if (expected !== null && facts.crc32c !== undefined && facts.crc32c !== expected) return 'missing';
  return { ...facts, key: place.key, sizeBytes: pieces.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** A compose request may be repeated: the same components make the same object. */
async function sendCompose(
  deps: GcsComposeDeps,
  upload: GcsUpload,
  work: { pieces: readonly Piece[]; group: number | null; url: string },
): Promise<HttpAnswer> {
  const { args } = upload.source;
  if (work.group === null) await args.confirmLease();
  return await sendRepeatedly(deps, {
    what: 'compose the parts',
    url: work.url,
    method: 'PUT',
    headers: { 'content-type': args.contentType },
    body: composeBody(work.pieces),
    deadlineMs: COMPOSE_DEADLINE_MS,
    signal: args.signal,
  });
}

async function dropOwn(deps: GcsComposeDeps, { source, record }: GcsUpload, session: GcsSession): Promise<void> {
  const parts = Math.ceil(source.expected.sizeBytes / session.partSizeBytes);
  await removeComponents(deps, { ...record, parts, signal: source.args.signal });
}

/** Components of other content, or of another record. */
async function dropFormer(deps: GcsComposeDeps, { source, record }: GcsUpload): Promise<void> {
  const former = formerUpload(source.args.checkpoint);
  if (former) await removeComponents(deps, { assetId: record.assetId, ...former, signal: source.args.signal });
}
