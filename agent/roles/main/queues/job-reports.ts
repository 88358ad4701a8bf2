/**
 * Keeps progress of an iconik job from being told after its end: a STARTED that overtakes FINISHED would leave the job
 * running for ever in iconik's eyes. One instance per leadership, shared by settling and progress.
 */
export class JobReports {
  readonly #sending = new Map<string, Promise<void>>();
  /** Highest job id whose end was told, by iconik job: a later order under the same iconik job reports again. */
  readonly #ended = new Map<string, bigint>();

  /** Sends progress unless the end has been told or another report of the same iconik job is under way. */
  async progress(iconikJobId: string, jobId: bigint, send: () => Promise<void>): Promise<boolean> {
    const ended = this.#ended.get(iconikJobId);
    if (this.#sending.has(iconikJobId) || (ended !== undefined && jobId <= ended)) return false;
    const sending = send();
    const quiet = sending.catch(() => undefined).finally(() => this.#sending.delete(iconikJobId));
    this.#sending.set(iconikJobId, quiet);
    await sending;
    return true;
  }

  /** Sends the end once no progress is under way; none is sent afterwards. */
  async end(iconikJobId: string, jobId: bigint, send: () => Promise<void>): Promise<void> {
    const before = this.#ended.get(iconikJobId) ?? 0n;
    this.#ended.delete(iconikJobId);
    this.#ended.set(iconikJobId, jobId > before ? jobId : before);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
    await this.#sending.get(iconikJobId);
    await send();
  }
}

/** Ends remembered: far more than can end while one answer of the database is worked through. */
const REMEMBERED = 10_000;
