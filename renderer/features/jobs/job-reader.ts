import type { AgentAnswer, JobRow } from '../../../agent/contract/index.ts';
import { WatchedValue } from '../../state/watched-value.ts';
import { ALL_JOBS, filterKey, type JobFilter } from './job-filter.ts';
import { changeRow, EMPTY_LIST, type JobList, mergePage, missingPage, type PageRead, pageAround } from './job-list.ts';

/** Everything the jobs table is drawn from. */
export interface JobReaderState {
  filter: JobFilter;
  list: JobList;
  /** Whether the rows are still those of the filter before; they stay until the first answer for this one. */
  isOutdated: boolean;
  /** Why the last page could not be read, in words; null when it could. */
  error: string | null;
}

/** Reads a page of jobs; throws with a message for people. */
export type ReadJobPage = (
  filter: JobFilter,
  cursor: string | null,
  limit: number,
) => Promise<AgentAnswer<'jobs.list'>>;

/** Reads the pages the table needs, one at a time. No timers; whoever owns it says when to read again. */
export interface JobReader {
  readonly get: () => JobReaderState;
  /** Calls back at each change until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
  setFilter(filter: JobFilter): void;
  /** Tells which rows are in view; pages that are missing for them are read. */
  show(firstIndex: number, lastIndex: number): void;
  /** Keeps order and membership of the rows while true. */
  hold(isHeld: boolean): void;
  /** Reads the rows in view again. */
  refresh(): void;
  /** Shows a change made by hand at once; the next refresh tells the truth. */
  change(jobId: string, change: Partial<JobRow>): void;
}

class PagedJobReader implements JobReader {
  readonly #readPage: ReadJobPage;
  readonly #state = new WatchedValue<JobReaderState>({
    filter: ALL_JOBS,
    list: EMPTY_LIST,
    isOutdated: true,
    error: null,
  });
  #view = { firstIndex: 0, lastIndex: 0 };
  #isHeld = false;
  #isRefreshDue = false;
  #isReading = false;
  /** Row from which a refresh of the view still has to read; null = none under way. */
  #refreshFrom: number | null = null;
  /** Tells answers for an earlier filter from those for this one. */
  #generation = 0;

  constructor(readPage: ReadJobPage) {
    this.#readPage = readPage;
  }

  readonly get = () => this.#state.get();

  readonly subscribe = (listener: () => void) => this.#state.subscribe(listener);

  setFilter(filter: JobFilter): void {
    if (filterKey(filter) === filterKey(this.#state.get().filter) && this.#generation > 0) return;
    this.#generation += 1;
    this.#view = { firstIndex: 0, lastIndex: 0 };
    this.#isReading = false;
    this.#isRefreshDue = false;
    this.#refreshFrom = null;
    this.#state.set({ ...this.#state.get(), filter, isOutdated: true, error: null });
    void this.#work();
  }

  show(firstIndex: number, lastIndex: number): void {
    if (this.#state.get().isOutdated) return;
    this.#view = { firstIndex, lastIndex };
    if (this.#state.get().error === null) void this.#work();
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  refresh(): void {
    this.#isRefreshDue = true;
    void this.#work();
  }

  change(jobId: string, change: Partial<JobRow>): void {
    this.#state.set({ ...this.#state.get(), list: changeRow(this.#state.get().list, jobId, change) });
  }

  /** Reads one page after another until the view is known and as fresh as asked for. */
  async #work(): Promise<void> {
    if (this.#isReading || this.#generation === 0) return;
    const generation = this.#generation;
    this.#isReading = true;
    try {
      for (let read = this.#next(); read !== null; read = this.#next()) {
        const answer = await this.#readPage(this.#state.get().filter, read.mark.cursor, read.limit);
        if (generation !== this.#generation) return;
        this.#join(read, answer);
      }
    } catch (thrown) {
      if (generation !== this.#generation) return;
      this.#refreshFrom = null;
      this.#state.set({ ...this.#state.get(), error: thrown instanceof Error ? thrown.message : String(thrown) });
    } finally {
      if (generation === this.#generation) this.#isReading = false;
    }
  }

  #next(): PageRead | null {
    const { list, isOutdated } = this.#state.get();
    const { firstIndex, lastIndex } = this.#view;
    if (isOutdated) return missingPage(EMPTY_LIST, 0);
    if (this.#isRefreshDue && this.#refreshFrom === null) {
      this.#isRefreshDue = false;
      this.#refreshFrom = firstIndex;
    }
    const lastKnown = Math.min(lastIndex, list.rows.length - 1);
    if (this.#refreshFrom !== null) {
      if (this.#refreshFrom <= Math.max(lastKnown, 0))
        return pageAround(list, this.#refreshFrom, Math.max(lastKnown, 0));
      this.#refreshFrom = null;
    }
    return missingPage(list, lastIndex);
  }

  #join({ mark, limit }: PageRead, answer: AgentAnswer<'jobs.list'>): void {
    const { list, isOutdated } = this.#state.get();
    if (this.#refreshFrom !== null)
      this.#refreshFrom = answer.nextCursor === null ? Number.POSITIVE_INFINITY : mark.index + limit;
    const merged = mergePage(isOutdated ? EMPTY_LIST : list, mark, answer, this.#isHeld);
    this.#state.set({ ...this.#state.get(), list: merged, isOutdated: false, error: null });
  }
}

/** Makes a reader that reads nothing until its filter is set. */
export function createJobReader(readPage: ReadJobPage): JobReader {
  return new PagedJobReader(readPage);
}
