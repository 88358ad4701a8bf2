import type { LogLine, LogPlace } from '../../../agent/contract/index.ts';
import { WatchedValue } from '../../state/watched-value.ts';
import { FOLLOWING, type FollowEvent, type FollowState, nextFollow } from './follow-state.ts';
import {
  appendLive,
  appendPage,
  bufferOf,
  countNew,
  EMPTY_BUFFER,
  type LogBuffer,
  type LogPage,
  MOST_LINES,
  type OlderMark,
  prependPage,
} from './log-buffer.ts';
import { isLive, type LogQuery, passes } from './log-filter.ts';

/** Where lines come from: the agent, or the text files that main reads while the agent is down. */
export type LogSource = 'agent' | 'files';

/** Where a page is read. */
export type PagePlace = LogPlace | OlderMark;

/** What a page is read for: a place of the log to begin at, or more of it on one side. */
export type ReadKind = 'place' | 'older' | 'newer';

/** A page that could not be read; `retry` reads it again. */
export interface ReadFailure {
  kind: ReadKind;
  /** For people. */
  message: string;
  /** Whether trying again is of no use. */
  isFinal: boolean;
}

/** Everything the log view is drawn from. */
export interface LogReaderState {
  buffer: LogBuffer;
  follow: FollowState;
  source: LogSource;
  /** Whether the first page has come. */
  isLoaded: boolean;
  isReadingOlder: boolean;
  /** Why the last page could not be read, another object each time; null when it could. */
  failure: ReadFailure | null;
  /** The line that the view was opened at; the view goes there once per `nonce`. */
  focus: { seq: number; nonce: number } | null;
}

/** Reads the page at a place; throws with a message for people. */
export type ReadLogPage = (source: LogSource, query: LogQuery, at: PagePlace) => Promise<LogPage>;

/** Reads and keeps the lines of one log view. No timers; whoever owns it says when. */
export interface LogReader {
  readonly get: () => LogReaderState;
  /** Calls back at each change until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
  /** Begins anew, at the end or at a place. */
  open(source: LogSource, query: LogQuery, at?: LogPlace): void;
  /** Goes to another place of the same log; what is shown stays until that has come. */
  jump(at: LogPlace): void;
  /** Reads the page before the first line, when there is one and none is being read. */
  older(): void;
  /** Reads the page after the last line, or what came after it since. */
  newer(): void;
  /** Tries again what could not be read. */
  retry(): void;
  /** Takes lines that arrived live, all of this node in their order; what was left out in between is read. */
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
  failure: null,
  focus: null,
};
const END: LogPlace = { kind: 'end' };

class PagedLogReader implements LogReader {
  readonly #readPage: ReadLogPage;
  readonly #state = new WatchedValue(START);
  #query: LogQuery | null = null;
  #at: LogPlace = END;
  /** Tells answers for an earlier query or place from those for this one. */
  #generation = 0;
  /** Live lines that came while what lies before them is being read. */
  #early: LogLine[] = [];
  #isReadingNewer = false;
  /** Whether it is read on until the end of the log; otherwise a reader of history asks for page after page. */
  #isCatchingUp = false;
  /** Highest number that arrived live, whether it was joined or left to a page; 0 = none. */
  #lastHeard = 0;
  #jumps = 0;

  constructor(readPage: ReadLogPage) {
    this.#readPage = readPage;
  }

  readonly get = () => this.#state.get();

  readonly subscribe = (listener: () => void) => this.#state.subscribe(listener);

  open(source: LogSource, query: LogQuery, at: LogPlace = END): void {
    this.#query = query;
    this.#lastHeard = 0;
    this.#state.set({ ...START, source });
    this.jump(at);
  }

  jump(at: LogPlace): void {
    if (!this.#query) return;
    this.#generation += 1;
    this.#at = at;
    this.#early = [];
    this.#isReadingNewer = false;
    this.#isCatchingUp = false;
    void this.#read(at, 'place', (page) => this.#begin(page, at));
  }

  older(): void {
    const { buffer, isReadingOlder, isLoaded } = this.#state.get();
    if (isReadingOlder || !isLoaded || buffer.older === null) return;
    void this.#read(buffer.older, 'older', (page) => this.#set({ buffer: prependPage(this.get().buffer, page) }));
  }

  newer(): void {
    const { buffer, isLoaded, source } = this.#state.get();
    if (this.#isReadingNewer || !isLoaded || source === 'files') return;
    this.#isReadingNewer = true;
    this.#isCatchingUp ||= buffer.newerSeq === null;
    const at: LogPlace = { kind: 'after', seq: buffer.newerSeq ?? buffer.tailSeq };
    void this.#read(at, 'newer', (page) => this.#joinNewer(page));
  }

  retry(): void {
    const { failure } = this.#state.get();
    if (failure?.kind === 'place') this.jump(this.#at);
    else if (failure?.kind === 'newer') this.newer();
    else this.older();
  }

  take(lines: readonly LogLine[]): void {
    const query = this.#query;
    const { isLoaded, buffer, source } = this.#state.get();
    if (!query || !isLive(query)) return;
    if (source === 'files') {
      this.#readEndAnew();
      return;
    }
    this.#lastHeard = Math.max(this.#lastHeard, lines.at(-1)?.seq ?? 0);
    if (!isLoaded || (this.#isReadingNewer && this.#isCatchingUp)) this.#early.push(...lines);
    else if (buffer.newerSeq === null && hasGap(buffer.tailSeq, lines)) {
      this.#early.push(...lines);
      this.newer();
    } else this.#takeInOrder(lines, query);
  }

  dispatch(event: FollowEvent): void {
    const { follow, buffer, source } = this.#state.get();
    const next = nextFollow(follow, event);
    if (next === follow) return;
    const isEndElsewhere = next.kind === 'following' && buffer.newerSeq !== null;
    if (!isEndElsewhere) this.#set({ follow: next });
    // the end of what has been read is not the end of the log: scrolling there is no wish to follow
    else if (event.kind !== 'scrolled' && this.#query) this.open(source, this.#query);
  }

  #set(change: Partial<LogReaderState>): void {
    this.#state.set({ ...this.#state.get(), ...change });
  }

  #takeInOrder(lines: readonly LogLine[], query: LogQuery): void {
    const { buffer, follow, source } = this.#state.get();
    const passing = lines.filter((line) => passes(line, query));
    const seen = withTail(appendLive(buffer, passing, follow.kind === 'following'), lines);
    if (seen.isStale) {
      this.open(source, query);
      return;
    }
    const count = countNew(buffer, passing);
    const next = nextFollow(follow, { kind: 'lines-arrived', count });
    if (seen !== buffer || next !== follow) this.#set({ buffer: seen, follow: next });
  }

  /** Lines of files have no numbers to join by; the page that is shown stays until the new one has come. */
  #readEndAnew(): void {
    const { isLoaded, follow } = this.#state.get();
    if (isLoaded && follow.kind === 'following') this.jump(END);
  }

  #begin(page: LogPage, at: LogPlace): void {
    const { follow } = this.#state.get();
    this.#jumps += 1;
    const focus = at.kind === 'end' ? null : { seq: focusOf(page, at), nonce: this.#jumps };
    const next = at.kind === 'end' ? follow : ({ kind: 'reading', arrived: 0 } as const);
    this.#set({ buffer: bufferOf(page), follow: next, isLoaded: true, focus });
    this.#joinEarly();
  }

  #joinNewer(page: LogPage): void {
    this.#isReadingNewer = false;
    const { buffer, follow } = this.#state.get();
    // the log was begun anew
    if (page.extent !== null && page.extent.lastSeq < buffer.tailSeq && this.#query) {
      this.open('agent', this.#query);
      return;
    }
    const count = buffer.newerSeq === null ? countNew(buffer, page.lines) : 0;
    this.#set({ buffer: appendPage(buffer, page), follow: nextFollow(follow, { kind: 'lines-arrived', count }) });
    // who reads history keeps it: what there is no room for is read when they come to it
    const hasRoom = follow.kind === 'following' || buffer.lines.length < MOST_LINES;
    if (page.newerSeq !== null && this.#isCatchingUp && hasRoom) {
      this.newer();
      return;
    }
    this.#isCatchingUp = false;
    this.#joinEarly();
  }

  #joinEarly(): void {
    const early = this.#early;
    this.#early = [];
    const { tailSeq, newerSeq } = this.#state.get().buffer;
    if (newerSeq !== null) return;
    const fresh = early.filter(({ seq }) => seq > tailSeq);
    if (fresh.length > 0) this.take(fresh);
    else if (this.#lastHeard > tailSeq) {
      // they came while their page was being read; asked once, for a log that was begun anew never has that number
      this.#lastHeard = 0;
      this.newer();
    }
  }

  async #read(at: PagePlace, kind: ReadKind, join: (page: LogPage) => void): Promise<void> {
    const query = this.#query;
    if (!query) return;
    const generation = this.#generation;
    this.#set({ failure: null, ...(kind === 'older' ? { isReadingOlder: true } : {}) });
    try {
      const page = await this.#readPage(this.#state.get().source, query, at);
      if (generation !== this.#generation) return;
      this.#set({ isReadingOlder: false });
      join(page);
    } catch (thrown) {
      if (generation !== this.#generation) return;
      if (kind === 'newer') this.#isReadingNewer = false;
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      const isFinal = thrown instanceof Error && 'retry' in thrown && thrown.retry === 'permanent';
      this.#set({ isReadingOlder: false, failure: { kind, message, isFinal } });
    }
  }
}

/** Whether numbers are left out between what was looked at and these lines, or among them. */
function hasGap(tailSeq: number, lines: readonly LogLine[]): boolean {
  return lines.some(({ seq }, at) => seq > (lines[at - 1]?.seq ?? tailSeq) + 1);
}

/** The buffer once it is known that everything up to the last of these lines was looked at. */
function withTail(buffer: LogBuffer, lines: readonly LogLine[]): LogBuffer {
  const last = lines.at(-1)?.seq ?? 0;
  if (buffer.isStale || last <= buffer.tailSeq) return buffer;
  const extent = buffer.extent && { ...buffer.extent, lastSeq: Math.max(last, buffer.extent.lastSeq) };
  return buffer.newerSeq === null ? { ...buffer, tailSeq: last, extent } : { ...buffer, extent };
}

/** Number of the line that a jump leads to: the one asked for, or the middle of what was read around it. */
function focusOf({ lines }: LogPage, at: LogPlace): number {
  if (at.kind === 'around') return at.seq;
  if (at.kind === 'time') return lines.find(({ atMs }) => atMs >= at.atMs)?.seq ?? lines.at(-1)?.seq ?? 0;
  if (at.kind === 'share' && at.share >= 1) return lines.at(-1)?.seq ?? 0;
  if (at.kind === 'share' && at.share <= 0) return lines[0]?.seq ?? 0;
  return lines[lines.length >> 1]?.seq ?? 0;
}

/** Makes a reader that reads nothing until `open`. */
export function createLogReader(readPage: ReadLogPage): LogReader {
  return new PagedLogReader(readPage);
}
