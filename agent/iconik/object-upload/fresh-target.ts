import type { IconikApi, UploadTarget } from '../api.ts';
import type { ObjectSource } from './object-source.ts';
import { freshRecord } from './record-calls.ts';

/**
 * The upload URL (and credentials) of one upload, asked for anew when they have run out. However many parts see them run
 * out, iconik is asked once.
 */
export class FreshTarget {
  readonly #api: IconikApi;
  readonly #source: ObjectSource;
  #current: UploadTarget;
  #renewal: Promise<UploadTarget> | null = null;

  constructor(api: IconikApi, source: ObjectSource) {
    this.#api = api;
    this.#source = source;
    this.#current = source.args.target;
  }

  get current(): UploadTarget {
    return this.#current;
  }

  /** A target newer than `stale`; null when the upload belongs to no record that could be asked. */
  async renew(stale: UploadTarget): Promise<UploadTarget | null> {
    const { multipart, signal } = this.#source.args;
    if (this.#current !== stale) return this.#current;
    if (!multipart) return null;
    this.#renewal ??= freshRecord(this.#api, multipart, signal).finally(() => {
      this.#renewal = null;
    });
    this.#current = await this.#renewal;
    return this.#current;
  }
}
