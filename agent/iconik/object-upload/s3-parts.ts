import { IsgError } from '../../runtime/errors.ts';
import { sendRangeRepeatedly } from './object-source.ts';
import { isExpiredAnswer, refusal } from './object-store-http.ts';
import type { PlannedPart } from './part-plan.ts';
import { missingParts, type S3Deps, type S3Session, type S3Upload, saveSession, saysGone } from './s3-session.ts';

/** The store's own list is the truth on resume; the checkpoint is only its substitute, so it need not be fresh. */
const CHECKPOINT_EVERY_MS = 15_000;

/** Why the sending ended: all parts are there, or the store does not know the upload any more. */
export type PartsOutcome = 'sent' | 'gone';

/** Sends every part that the session does not hold yet. Finished parts stay in the session whatever happens. */
export async function sendMissingParts(deps: S3Deps, upload: S3Upload, session: S3Session): Promise<PartsOutcome> {
  const queue = missingParts(upload, session);
  if (queue.length === 0) return 'sent';
  const run = new PartsRun(deps, upload, session);
  const workers = Array.from({ length: Math.min(deps.partsAtOnce, queue.length) }, () => run.work(queue));
  await Promise.all(workers);
  if (run.failure) throw run.failure.thrown;
  return run.isGone ? 'gone' : 'sent';
}

/** One round of sending: shared part URLs, progress, and the end of all when one fails. */
class PartsRun {
  isGone = false;
  failure: { thrown: unknown } | null = null;
  readonly #deps: S3Deps;
  readonly #upload: S3Upload;
  readonly #session: S3Session;
  readonly #ending = new AbortController();
  readonly #inFlight = new Map<number, number>();
  #urls: Promise<Map<number, string>>;
  #savedAtMs: number;
  #saving: Promise<void> = Promise.resolve();

  constructor(deps: S3Deps, upload: S3Upload, session: S3Session) {
    this.#deps = deps;
    this.#upload = upload;
    this.#session = session;
    this.#urls = this.#fetchUrls();
    this.#savedAtMs = deps.clock.monotonicMs();
    this.#report();
  }

  /** Takes parts from the queue until it is empty or the run ends. Never rejects: see `failure`. */
  async work(queue: PlannedPart[]): Promise<void> {
    try {
      for (let part = queue.shift(); part && !this.#ending.signal.aborted; part = queue.shift()) await this.#send(part);
    } catch (thrown) {
      if (!this.#ending.signal.aborted) this.failure = { thrown };
      this.#ending.abort();
    }
  }

  async #send(part: PlannedPart): Promise<void> {
    const urls = this.#urls;
    let answer = await this.#put(part, await urls);
    if (isExpiredAnswer(answer)) {
      // One fetch of fresh URLs serves all workers: whoever sees the old set expire first replaces it.
      if (this.#urls === urls) this.#urls = this.#fetchUrls();
      answer = await this.#put(part, await this.#urls);
    }
    if (saysGone(answer)) {
      this.isGone = true;
      this.#ending.abort();
      return;
    }
    const what = `upload part ${part.number}`;
    if (answer.status !== 200) throw refusal(what, (await this.#urls).get(part.number) ?? '', answer);
    const etag = answer.headers.etag;
    if (!etag) {
      const message = `The object store confirmed part ${part.number} without an ETag; the upload cannot be put together.`;
      throw new IsgError('upload-refused', message, { retry: 'transient' });
    }
    this.#session.finished.set(part.number, { number: part.number, etag, sizeBytes: part.lengthBytes });
    this.#inFlight.delete(part.number);
    this.#report();
    await this.#saveSometimes();
  }

  #put(part: PlannedPart, urls: ReadonlyMap<number, string>) {
    const url = urls.get(part.number);
    if (!url) {
      const message = `iconik gave no URL for part ${part.number} of the upload; it will be asked again.`;
      throw new IsgError('upload-refused', message, { retry: 'transient' });
    }
    return sendRangeRepeatedly(this.#deps, this.#upload.source, {
      what: `upload part ${part.number}`,
      range: { offsetBytes: part.offsetBytes, lengthBytes: part.lengthBytes },
      request: { url, method: 'PUT', headers: {} },
      signal: AbortSignal.any([this.#upload.source.args.signal, this.#ending.signal]),
      onBytes: (sentBytes) => {
        this.#inFlight.set(part.number, Math.min(sentBytes, part.lengthBytes));
        this.#report();
      },
    });
  }

  #fetchUrls(): Promise<Map<number, string>> {
    const { record, source } = this.#upload;
    const partsNum = Math.ceil(source.expected.sizeBytes / this.#session.partSizeBytes);
    const ask = { uploadId: this.#session.uploadId, partsNum };
    const limits = { signal: source.args.signal };
    const urls = this.#deps.api.files
      .multipartPartUrls(record.assetId, record.fileId, ask, limits)
      .then((list) => new Map(list.map((entry) => [entry.number, entry.url])));
    // Each worker sees the rejection itself; this only keeps it from counting as unhandled before they look.
    urls.catch(() => undefined);
    return urls;
  }

  async #saveSometimes(): Promise<void> {
    const nowMs = this.#deps.clock.monotonicMs();
    if (nowMs - this.#savedAtMs < CHECKPOINT_EVERY_MS) return;
    this.#savedAtMs = nowMs;
    // In turn, so that an older state never overwrites a newer one.
    this.#saving = this.#saving.then(() => saveSession(this.#upload, this.#session));
    await this.#saving;
  }

  #report(): void {
    let bytes = 0;
    for (const part of this.#session.finished.values()) bytes += part.sizeBytes;
    for (const sent of this.#inFlight.values()) bytes += sent;
    this.#upload.source.args.onProgress?.(bytes);
  }
}
