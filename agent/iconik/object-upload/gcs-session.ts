import { z } from 'zod';
import { IsgError } from '../../runtime/errors.ts';
import type { GcsPart, IconikApi } from '../api.ts';
import type { GcsComponent } from './gcs-answers.ts';
import { contentOf, isSameContent, type ObjectSource } from './object-source.ts';
import { gcsPartSizeFor, planParts } from './part-plan.ts';
import type { PartsDeps } from './parts-run.ts';
import type { UploadRecord } from './upload-object.ts';

/** What parallel uploads to GCS need. */
export interface GcsComposeDeps extends PartsDeps {
  api: IconikApi;
  /** Bytes per component when the file's size allows it. */
  partSizeBytes: number;
}

/** One parallel upload of one file. */
export interface GcsUpload {
  source: ObjectSource;
  record: UploadRecord;
}

/** Where a parallel upload stands. */
export interface GcsSession {
  partSizeBytes: number;
  /** By number. */
  finished: Map<number, GcsComponent>;
  /** The store may hold components that `finished` lacks: they are looked for before they are sent. */
  mayHoldMore: boolean;
  /** The object has been composed; only its components may be left. */
  isComposed: boolean;
}

const componentSchema = z.object({
  number: z.number().int().min(1),
  sizeBytes: z.number().int().min(0),
  generation: z.string().optional(),
  crc32c: z.number().int().min(0).optional(),
  md5: z.string().optional(),
});

/** What is kept between attempts. */
const checkpointSchema = z.object({
  method: z.literal('gcs-compose'),
  fileId: z.string(),
  sizeBytes: z.number(),
  mtimeNs: z.string(),
  md5: z.string().optional(),
  partSizeBytes: z.number().int().min(1),
  parts: z.array(componentSchema),
  isComposed: z.boolean(),
});

/** A parallel upload of former content or of another record, whose components may be left. */
export interface FormerUpload {
  fileId: string;
  parts: number;
}

/** Saves where the upload stands. */
export function saveSession({ source, record }: GcsUpload, session: GcsSession): Promise<void> {
  const value: z.infer<typeof checkpointSchema> = {
    method: 'gcs-compose',
    fileId: record.fileId,
    ...contentOf(source),
    partSizeBytes: session.partSizeBytes,
    parts: [...session.finished.values()],
    isComposed: session.isComposed,
  };
  return source.args.saveCheckpoint(value);
}

/** The upload that a checkpoint tells of, whatever its content; null when it tells of none. */
export function formerUpload(checkpoint: unknown): FormerUpload | null {
  const parsed = checkpointSchema.safeParse(checkpoint);
  if (!parsed.success) return null;
  const { fileId, sizeBytes, partSizeBytes } = parsed.data;
  return { fileId, parts: Math.ceil(sizeBytes / partSizeBytes) };
}

/** The session that an earlier attempt saved; null when none, or when it was for other content. */
export function savedSession({ source, record }: GcsUpload): GcsSession | null {
  const parsed = checkpointSchema.safeParse(source.args.checkpoint);
  if (!parsed.success || parsed.data.fileId !== record.fileId || !isSameContent(parsed.data, source)) return null;
  const { partSizeBytes, sizeBytes, parts, isComposed } = parsed.data;
  const planned = new Map(planParts(sizeBytes, partSizeBytes).map((part) => [part.number, part]));
  const fitting = parts.filter((part) => planned.get(part.number)?.lengthBytes === part.sizeBytes);
  const finished = new Map(fitting.map((part) => [part.number, part]));
  return { partSizeBytes, finished, mayHoldMore: true, isComposed };
}

/** A session for a file of which nothing has been sent. */
export function freshSession(deps: GcsComposeDeps, { source }: GcsUpload): GcsSession {
  const partSizeBytes = gcsPartSizeFor(source.expected.sizeBytes, deps.partSizeBytes);
  return { partSizeBytes, finished: new Map(), mayHoldMore: false, isComposed: false };
}

/** The places of all components, asked for anew when they have run out. */
export class ComponentPlaces {
  readonly #ask: () => Promise<Map<number, GcsPart>>;
  #places: Promise<Map<number, GcsPart>>;

  constructor(deps: GcsComposeDeps, { source, record }: GcsUpload, session: GcsSession) {
    const partsNum = Math.ceil(source.expected.sizeBytes / session.partSizeBytes);
    const { signal } = source.args;
    this.#ask = async () => {
      const parts = await deps.api.files.gcsPartUrls(record.assetId, record.fileId, { partsNum }, { signal });
      return new Map(parts.map((part) => [part.number, part]));
    };
    this.#places = this.#asked();
  }

  async of(number: number): Promise<GcsPart> {
    const place = (await this.#places).get(number);
    if (place) return place;
    const message = `iconik gave no URL for part ${number} of the upload; it will be asked again.`;
    throw new IsgError('upload-refused', message, { retry: 'transient' });
  }

  /** Another place than `stale`, which has run out. One question serves all. */
  async renew(stale: GcsPart): Promise<GcsPart> {
    const seen = this.#places;
    const isStillStale = (await seen).get(stale.number)?.url === stale.url;
    if (isStillStale && this.#places === seen) this.#places = this.#asked();
    return await this.of(stale.number);
  }

  #asked(): Promise<Map<number, GcsPart>> {
    const places = this.#ask();
    // Who waits for them sees the rejection; this only keeps it from counting as unhandled before.
    places.catch(() => undefined);
    return places;
  }
}
