import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Leadership } from '../../../../agent/leader/leadership.ts';
import { IsgError } from '../../../../agent/runtime/errors.ts';
import type { Database } from '../../../../agent/runtime/sql.ts';

/** A leadership of a test: real in the database, ended by hand. */
export interface TestLeadership extends Leadership {
  /** Ends trust and fires the signal, as the end of a leadership does. */
  end(): void;
}

const termRow = z.object({ term: z.string() });

/** Takes over: the next term in the database, so that writes of earlier ones are refused from now on. */
export async function takeOver(database: Database): Promise<TestLeadership> {
  const runId = randomUUID();
  const [row] = await database.query(
    "UPDATE leader_term SET term = term + 1, run_id = $1, why = 'test' RETURNING term::text",
    [runId],
    termRow,
  );
  const ending = new AbortController();
  return {
    term: Number(row?.term),
    runId,
    signal: ending.signal,
    assertTrusted() {
      if (ending.signal.aborted) throw new IsgError('leadership-lost', 'The test ended it.', { retry: 'permanent' });
    },
    end: () => ending.abort(),
  };
}

/** Waits until `isTrue`, looking again and again; fails with `what` after 20 s. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
