import { IsgError } from '../../../agent/runtime/errors.ts';
import type { Database, Sql } from '../../../agent/runtime/sql.ts';
import type { SimProcess, VirtualTime } from './virtual-time.ts';

/** How a link treats statements now; rates are fractions of 1. */
export interface LinkWeather {
  /** One way, milliseconds. */
  latencyMs: { min: number; max: number };
  /** Statements that arrive only after their sender has given up. */
  lateRate: number;
  /** Applied statements whose answer is lost. */
  lostAnswerRate: number;
  /** Statements whose connection breaks at once, before or after the database has applied them. */
  resetRate: number;
}

/** A calm local network. */
export const CALM: LinkWeather = { latencyMs: { min: 0.3, max: 4 }, lateRate: 0, lostAnswerRate: 0, resetRate: 0 };

/** A statement without an answer is given up after this (as the pulse pool does). */
const LIMIT_MS = 1_000;
/** A late statement arrives up to this long after it was sent. */
const LATEST_MS = 5_000;

/** What a link needs. */
export interface SimLinkOptions {
  time: VirtualTime;
  process: SimProcess;
  random: () => number;
  /** Called after the database has applied something that may have written. */
  applied: () => Promise<void>;
}

/**
 * The way of one node to the database. Each statement or transaction is applied whole at one instant of virtual time, some
 * time after it was sent, and answered some time later, if at all. What was sent arrives although its sender is frozen
 * or dead.
 */
export class SimLink {
  readonly #options: SimLinkOptions;
  weather: LinkWeather = CALM;
  #cutUntilMs = 0;
  /** Delays of the way there for the next statements, before the weather decides again. */
  readonly nextSendMs: number[] = [];

  constructor(options: SimLinkOptions) {
    this.#options = options;
  }

  /** Nothing gets through until then; what is on its way is lost. */
  cutUntil(untilMs: number): void {
    this.#cutUntilMs = Math.max(this.#cutUntilMs, untilMs);
  }

  call<T>(apply: () => Promise<T>, mayWrite: boolean): Promise<T> {
    const { time, process, random, applied } = this.#options;
    const { lateRate, lostAnswerRate, resetRate } = this.weather;
    const isLate = random() < lateRate;
    const scripted = this.nextSendMs.shift();
    const sendMs = scripted ?? (isLate ? LIMIT_MS + random() * (LATEST_MS - LIMIT_MS) : this.#latency());
    const isReset = random() < resetRate;
    const isLost = random() < lostAnswerRate;
    return new Promise((resolve, reject) => {
      const giveUp = (words: string) => () => reject(unreachable(words));
      process.later(LIMIT_MS, giveUp('no answer in time'));
      if (isReset) process.later(random() * 20, giveUp('connection reset'));
      time.at(time.nowMs + sendMs, async () => {
        if (time.nowMs < this.#cutUntilMs) return;
        const answer = await apply().then(
          (value) => () => resolve(value),
          (thrown: unknown) => () => reject(thrown instanceof Error ? thrown : new Error(String(thrown))),
        );
        if (mayWrite) await applied();
        if (isLost) return;
        const backMs = this.#latency();
        if (time.nowMs + backMs >= this.#cutUntilMs) process.later(backMs, answer);
      });
    });
  }

  #latency(): number {
    const { min, max } = this.weather.latencyMs;
    return min + this.#options.random() * (max - min);
  }
}

const unreachable = (words: string) =>
  new IsgError('database-unreachable', `The database does not answer: ${words}.`, { retry: 'transient' });

const mayWrite = (text: string) => !/^\s*SELECT/i.test(text);

/** A database behind a link. */
export function linkDatabase(link: SimLink, real: Database): Database {
  return {
    query: (text, values, row) => link.call(() => real.query(text, values, row), mayWrite(text)),
    execute: (text, values) => link.call(() => real.execute(text, values), mayWrite(text)),
    transaction: (work, limits) => link.call(() => real.transaction(work, limits), true),
    script: (text, limits) => link.call(() => real.script(text, limits), true),
    close: () => Promise.resolve(),
  };
}

/** A database whose statements are rewritten on their way: how a mutant of a statement is made. */
export function rewriteSql(real: Database, rewrite: (text: string) => string): Database {
  const over = (sql: Sql): Sql => ({
    query: (text, values, row) => sql.query(rewrite(text), values, row),
    execute: (text, values) => sql.execute(rewrite(text), values),
  });
  return {
    ...over(real),
    transaction: (work, limits) => real.transaction((sql) => work(over(sql)), limits),
    script: (text, limits) => real.script(rewrite(text), limits),
    close: () => real.close(),
  };
}
