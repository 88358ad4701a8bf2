import type Database from 'better-sqlite3';
import { z } from 'zod';
import { LOG_LEVELS } from '../../contract/index.ts';
import type { DropReason } from './outbox-file.ts';

const countRow = z.object({ level: z.number(), records: z.number() });
/** A counter as the file has it. */
export const dropCountRow = z.object({
  reason: z.enum(['cap', 'memory']),
  level: z.number().int().min(0).max(3),
  records: z.number().int().nonnegative(),
});
/** A counter as the file has it. */
export type DropCount = z.infer<typeof dropCountRow>;

interface UnderWay {
  first: number;
  last: number;
  removed: number[];
}

/**
 * Makes room in the file: shipped records go first, oldest first, because `node_log` has them; then old DEBUG, INFO, WARN and
 * at last ERROR, each counted. Below `#clearedTo[level]` no record of the level is left, so nothing is looked at twice.
 */
export class OutboxTrim {
  readonly #database: Database.Database;
  readonly #shippedSeq: () => number;
  /** Records looked at in one deletion: it bounds the journal. */
  readonly #window: number;
  readonly #clearedTo = LOG_LEVELS.map(() => 0);
  /** What is on its way to the database, and how many of it were removed and counted meanwhile, by level. */
  #underWay: UnderWay | null = null;

  constructor(database: Database.Database, window: number, shippedSeq: () => number) {
    this.#window = window;
    this.#database = database;
    this.#shippedSeq = shippedSeq;
  }

  /**
   * Deletes until so many pages are free. Answers the level below which new records have to be dropped themselves, because
   * all that is left is more severe: usually 0.
   */
  makeRoom(pages: number, freePages: () => number): number {
    if (freePages() >= pages) return 0;
    while (this.#removeShipped()) if (freePages() >= pages) return 0;
    for (const level of LOG_LEVELS.keys()) {
      while (this.#removeLevel(level)) if (freePages() >= pages) return level;
    }
    return freePages() >= pages ? LOG_LEVELS.length - 1 : LOG_LEVELS.length;
  }

  // Shipped records are not lost: not counted.
  #removeShipped(): boolean {
    const first = this.#firstSeq(0);
    const shippedSeq = this.#shippedSeq();
    if (first === null || first > shippedSeq) return false;
    const to = Math.min(first + this.#window - 1, shippedSeq);
    this.#database.prepare('DELETE FROM log_record WHERE seq <= ?').run(to);
    return true;
  }

  #removeLevel(level: number): boolean {
    const first = this.#firstSeq(this.#clearedTo[level] ?? 0);
    if (first === null) return false;
    const to = first + this.#window - 1;
    const remove = this.#database.prepare('DELETE FROM log_record WHERE seq >= ? AND seq <= ? AND level = ?');
    const ofUnderWay = this.#countUnderWay(first, to, level);
    this.#database
      .transaction(() => {
        const { changes } = remove.run(first, to, level);
        this.count('cap', { [level]: changes });
      })
      .immediate();
    if (this.#underWay && ofUnderWay > 0)
      this.#underWay.removed[level] = (this.#underWay.removed[level] ?? 0) + ofUnderWay;
    this.#clearedTo[level] = Math.min(to, this.#lastSeq());
    return true;
  }

  #countUnderWay(from: number, to: number, level: number): number {
    const underWay = this.#underWay;
    if (!underWay || from > underWay.last || to < underWay.first) return 0;
    const text = 'SELECT count(*) FROM log_record WHERE seq >= ? AND seq <= ? AND level = ?';
    const within = [Math.max(from, underWay.first), Math.min(to, underWay.last), level];
    return Number(this.#database.prepare(text).pluck().get(within));
  }

  /** These are on their way to the database: should the cap remove some of them before they arrive, they are not lost. */
  sent(first: number, last: number): void {
    this.#underWay = { first, last, removed: LOG_LEVELS.map(() => 0) };
  }

  /**
   * Records up to `seq` have arrived: those of them that were counted as dropped are counted no more, in the caller's
   * transaction. `settled` follows once that is committed.
   */
  arrived(seq: number): void {
    if (!this.#underWay || seq < this.#underWay.last) return;
    const less = this.#database.prepare(
      "UPDATE drop_count SET records = records - ? WHERE reason = 'cap' AND level = ?",
    );
    for (const [level, records] of this.#underWay.removed.entries()) if (records > 0) less.run(records, level);
  }

  settled(seq: number): void {
    if (this.#underWay && seq >= this.#underWay.last) this.#underWay = null;
  }

  #firstSeq(after: number): number | null {
    const seq = this.#database.prepare('SELECT min(seq) FROM log_record WHERE seq > ?').pluck().get(after);
    return typeof seq === 'number' ? seq : null;
  }

  #lastSeq(): number {
    return Number(this.#database.prepare('SELECT max(seq) FROM log_record').pluck().get() ?? 0);
  }

  /** Removes shipped records before an instant among the `limit` oldest; answers how many. */
  removeOld(beforeMs: number, limit: number): number {
    const text = `DELETE FROM log_record WHERE seq IN (
      SELECT seq FROM (SELECT seq, at_ms FROM log_record WHERE seq <= ? ORDER BY seq LIMIT ?) WHERE at_ms < ?)`;
    return this.#database.prepare(text).run(this.#shippedSeq(), limit, beforeMs).changes;
  }

  /** Adds to the counters; in the caller's transaction. */
  count(reason: DropReason, byLevel: Readonly<Record<number, number>>): void {
    const add = this.#database.prepare(
      'INSERT INTO drop_count VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET records = records + excluded.records',
    );
    for (const [level, records] of Object.entries(byLevel)) if (records > 0) add.run(reason, Number(level), records);
  }

  /** Goes on with the counters of another file. */
  setCounts(counts: readonly DropCount[]): void {
    this.#database.prepare('DELETE FROM drop_count').run();
    for (const { reason, level, records } of counts) this.count(reason, { [level]: records });
  }

  /** What was counted, by level. */
  counted(reason: DropReason): number[] {
    const counts = LOG_LEVELS.map(() => 0);
    for (const row of this.#database.prepare('SELECT level, records FROM drop_count WHERE reason = ?').all(reason)) {
      const { level, records } = countRow.parse(row);
      counts[level] = records;
    }
    return counts;
  }
}
