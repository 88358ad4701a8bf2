import type { LogLine } from '../../../agent/contract/index.ts';
import { WatchedValue } from '../../state/watched-value.ts';
import { FOLLOWING, type FollowEvent, type FollowState, nextFollow } from './follow-state.ts';
import { appendLive, countNew, EMPTY_BUFFER, type LogBuffer, type LogPage, prependPage } from './log-buffer.ts';
import { type LogQuery, passes } from './log-filter.ts';

/** Where lines come from: the agent's store, or the text files that main reads while the agent is down. */
export type LogSource = 'agent' | 'files';

/** Everything the log view is drawn from. */
export interface LogReaderState {
  buffer: LogBuffer;
  follow: FollowState;
  source: LogSource;
  /** Whether the newest page has come. */
  isLoaded: boolean;
  isReadingOlder: boolean;
  /** Why the last page could not be read, in words; null when it could. */
  error: string | null;
}

/** Reads the page before `cursor`; throws with a message for people. */
export type ReadLogPage = (source: LogSource, query: LogQuery, cursor: string | null) => Promise<LogPage>;

/** Reads and keeps the lines of one log view. No timers; whoever owns it says when. */
export interface LogReader {
  readonly get: () => LogReaderState;
  /** Calls back at each change until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Begins anew from the end. */
  open(source: LogSource, query: LogQuery): void;
  /** Reads the page before the first line, when there is one and none is being read. */
  older(): void;
  /** Takes lines that arrived live; lines that arrive while the newest page is read are kept and joined to it. */
  take(lines: readonly LogLine[]): void;
  /** Tells what the reader did. Following again after lines had to be let go reads the end anew. */
  dispatch(event: FollowEvent): void;
}

const START: LogReaderState = {
  buffer: EMPTY_BUFFER,
  follow: FOLLOWING,
  source: 'agent',
  isLoaded: false,
  isReadingOlder: false,
  error: null,
};

class PagedLogReader implements LogReader {
  readonly #readPage: ReadLogPage;
  readonly #state = new WatchedValue(START);
  #query: LogQuery | null = null;
  /** Tells answers for an earlier query from those for this one. */
  #generation = 0;
  #early: LogLine[] = [];

  constructor(readPage: ReadLogPage) {
    this.#readPage = readPage;
  }

  readonly get = () => this.#state.get();

  readonly subscribe = (listener: () => void) => this.#state.subscribe(listener);

  open(source: LogSource, query: LogQuery): void {
    this.#generation += 1;
    this.#query = query;
    this.#early = [];
    this.#state.set({ ...START, source });
    void this.#read(null);
  }

  older(): void {
    const { buffer, isReadingOlder, isLoaded } = this.#state.get();
    if (isReadingOlder || (isLoaded && buffer.isWhole)) return;
    void this.#read(isLoaded ? buffer.olderCursor : null);
  }

  take(lines: readonly LogLine[]): void {
    const query = this.#query;
    if (!query) return;
    const passing = lines.filter((line) => passes(line, query));
    if (passing.length === 0) return;
    if (!this.#state.get().isLoaded) {
      this.#early.push(...passing);
      return;
    }
    const { buffer, follow, source } = this.#state.get();
    const next = appendLive(buffer, passing, follow.kind === 'following');
    if (next.isStale) {
      this.open(source, query);
      return;
    }
    const count = countNew(buffer, passing);
    this.#state.set({
      ...this.#state.get(),
      buffer: next,
      follow: nextFollow(follow, { kind: 'lines-arrived', count }),
    });
  }

  dispatch(event: FollowEvent): void {
    const { follow, buffer, source } = this.#state.get();
    const next = nextFollow(follow, event);
    if (next === follow) return;
    if (next.kind === 'following' && buffer.isCut && this.#query) this.open(source, this.#query);
    else this.#state.set({ ...this.#state.get(), follow: next });
  }

  async #read(cursor: string | null): Promise<void> {
    const query = this.#query;
    if (!query) return;
    const generation = this.#generation;
    this.#state.set({ ...this.#state.get(), isReadingOlder: true, error: null });
    const { source, buffer } = this.#state.get();
    const toMs = buffer.trimmedToMs ?? query.toMs;
    try {
      const page = await this.#readPage(source, { ...query, toMs }, cursor);
      if (generation === this.#generation) this.#join(page);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      if (generation === this.#generation) this.#state.set({ ...this.#state.get(), isReadingOlder: false, error });
    }
  }

  #join(page: LogPage): void {
    const { isLoaded, follow } = this.#state.get();
    const buffer = prependPage(this.#state.get().buffer, page);
    const joined = isLoaded ? buffer : appendLive(buffer, this.#early, follow.kind === 'following');
    this.#early = [];
    this.#state.set({ ...this.#state.get(), buffer: joined, isLoaded: true, isReadingOlder: false });
  }
}

/** Makes a reader that reads nothing until `open`. */
export function createLogReader(readPage: ReadLogPage): LogReader {
  return new PagedLogReader(readPage);
}
