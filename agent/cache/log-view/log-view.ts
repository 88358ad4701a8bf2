import { Worker } from 'node:worker_threads';
import { IsgError } from '../../runtime/errors.ts';
import { type PageAsk, type ViewAnswer, type ViewAsk, type ViewPage, viewAnswerSchema } from './view-messages.ts';

/** What page is wanted. */
type PageWish = Omit<PageAsk, 'kind' | 'id' | 'withinMs'>;

/** Pages of the stored log, read in a thread of its own. */
export interface LogView {
  /**
   * Reads a page; one that is rare to match comes after about `PAGE_MS` with what was found until then. Throws
   * `log-unreadable` (transient), and `pattern-too-slow` (permanent) when a pattern tries longer than `PATTERN_MS`.
   */
  read(ask: PageWish): Promise<ViewPage>;
  /** Which of the texts, of whatever log, a pattern finds something in; in the same thread, and throws the same. */
  match(pattern: string, texts: readonly string[]): Promise<boolean[]>;
  close(): Promise<void>;
}

/** Soon enough that a reader sees the search move. */
const PAGE_MS = 400;
/** From when the thread begins with it. A pattern in its right mind takes some hundredths of it. */
const PATTERN_MS = 3_000;
/** Of a thread that cannot start, or hangs on a disk. */
const ANSWER_MS = 60_000;
/** A thread that nobody asked for so long gives its memory back. */
const IDLE_MS = 60_000;

type Found = Exclude<ViewAnswer, { kind: 'begun' | 'failed' }>;

interface Asked {
  resolve: (found: Found) => void;
  reject: (error: IsgError) => void;
  isPattern: boolean;
  timer: NodeJS.Timeout;
}

const unreadable = (reason: string) =>
  new IsgError('log-unreadable', `The stored log cannot be read (${reason}). It is tried again.`, {
    retry: 'transient',
  });

class ThreadedLogView implements LogView {
  readonly #path: string;
  readonly #patternMs: number;
  readonly #asked = new Map<number, Asked>();
  #thread: Worker | null = null;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(path: string, patternMs: number) {
    this.#path = path;
    this.#patternMs = patternMs;
  }

  async read(ask: PageWish): Promise<ViewPage> {
    const { isPattern } = ask.filter;
    const found = await this.#ask((id) => ({ ...ask, kind: 'page', id, withinMs: PAGE_MS }), isPattern);
    if (found.kind !== 'page') throw unreadable('its reader answered something else');
    return found.page;
  }

  async match(pattern: string, texts: readonly string[]): Promise<boolean[]> {
    const found = await this.#ask((id) => ({ kind: 'match', id, pattern, texts: [...texts] }), true);
    if (found.kind !== 'matched') throw unreadable('its reader answered something else');
    return found.found;
  }

  #ask(askOf: (id: number) => ViewAsk, isPattern: boolean): Promise<Found> {
    clearTimeout(this.#idle);
    this.#thread ??= this.#start();
    this.#lastId += 1;
    const id = this.#lastId;
    const thread = this.#thread;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(unreadable('no answer')), ANSWER_MS);
      this.#asked.set(id, { resolve, reject, timer, isPattern });
      thread.postMessage(askOf(id));
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = null;
    this.#refuseAll(unreadable('the agent stops'));
    await thread?.terminate();
  }

  #start(): Worker {
    const file = import.meta.url.endsWith('.ts') ? './view-thread-main.ts' : './view-thread-main.js';
    const thread = new Worker(new URL(file, import.meta.url), {
      workerData: { path: this.#path },
      env: {},
      execArgv: [],
      stdout: false,
    });
    thread.unref();
    thread.on('message', (message: unknown) => this.#answered(viewAnswerSchema.parse(message)));
    thread.on('error', (error) => this.#ended(thread, error.message));
    thread.on('exit', () => this.#ended(thread, 'its reader ended'));
    return thread;
  }

  #answered(answer: ViewAnswer): void {
    const asked = this.#asked.get(answer.id);
    if (!asked) return;
    clearTimeout(asked.timer);
    if (answer.kind === 'begun') {
      const limitMs = asked.isPattern ? this.#patternMs : ANSWER_MS;
      asked.timer = setTimeout(
        () => this.#giveUp(asked.isPattern ? this.#tooSlow() : unreadable('no answer')),
        limitMs,
      );
      return;
    }
    this.#asked.delete(answer.id);
    if (this.#asked.size === 0) this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    if (answer.kind === 'failed') asked.reject(unreadable(answer.reason));
    else asked.resolve(answer);
  }

  #tooSlow(): IsgError {
    const words = `The search was ended: the pattern tried one stretch of the log for ${this.#patternMs / 1_000} s. Write it without repeats inside of repeats, such as (a+)+.`;
    return new IsgError('pattern-too-slow', words, { retry: 'permanent' });
  }

  // The thread cannot be told to leave a pattern: it is ended, with all that waits behind it, and the next page starts anew.
  #giveUp(error: IsgError): void {
    const thread = this.#thread;
    this.#thread = null;
    void thread?.terminate();
    this.#refuseAll(error);
  }

  #ended(thread: Worker, reason: string): void {
    if (this.#thread !== thread) return;
    this.#thread = null;
    this.#refuseAll(unreadable(reason));
  }

  #refuseAll(error: IsgError): void {
    for (const { reject, timer } of this.#asked.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#asked.clear();
  }
}

/** A view of the log file at `path`. Its thread begins with the first page. */
export function createLogView(path: string, { patternMs = PATTERN_MS }: { patternMs?: number } = {}): LogView {
  return new ThreadedLogView(path, patternMs);
}
