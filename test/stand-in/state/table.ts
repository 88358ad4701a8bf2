/** One record of the imitated account. */
export interface Row {
  id: string;
  [field: string]: unknown;
}

/** Records of one kind in the order of their creation. Nothing is unique but the id. */
export class Table {
  readonly #rows = new Map<string, Row>();
  /** Kept after removal: keyset paging may name an id that is gone. */
  readonly #positions = new Map<string, number>();
  readonly #insertedAtMs = new Map<string, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Adds a record and returns it. */
  insert(row: Row): Row {
    this.#rows.set(row.id, row);
    this.#positions.set(row.id, this.#positions.size);
    this.#insertedAtMs.set(row.id, this.#nowMs());
    return row;
  }

  get(id: unknown): Row | undefined {
    return typeof id === 'string' ? this.#rows.get(id) : undefined;
  }

  remove(id: string): boolean {
    return this.#rows.delete(id);
  }

  all(): Row[] {
    return [...this.#rows.values()];
  }

  /** Records whose fields equal those given. */
  where(fields: Record<string, unknown>): Row[] {
    const wanted = Object.entries(fields);
    return this.all().filter((row) => wanted.every(([field, value]) => row[field] === value));
  }

  /** Place in the order of creation; -1 for an id never seen. */
  position(id: string): number {
    return this.#positions.get(id) ?? -1;
  }

  /** How long ago the record was created, in ms: what a lagging search index looks at. */
  ageMs(row: Row): number {
    return this.#nowMs() - (this.#insertedAtMs.get(row.id) ?? 0);
  }
}
