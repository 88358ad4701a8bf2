import { z } from 'zod';
import type { Sql } from '../../../agent/runtime/sql.ts';
import { type HistoryEvent, parseEvent } from './events.ts';

/**
 * The database as a witness: triggers note each change of terms, worker rows, job leases, and of a table that leaders of a
 * test write to (`witnessed_write`). What they note stands whether or not the answer of the statement ever arrived, in the
 * order in which the database wrote: take-over and leader writes note themselves while they hold their row locks.
 */
const INSTALL = `
CREATE TABLE witness_row (id bigserial PRIMARY KEY, facts jsonb NOT NULL);
CREATE TABLE witnessed_write (one int PRIMARY KEY, writes int NOT NULL, term bigint, run_id uuid);
INSERT INTO witnessed_write VALUES (1, 0, NULL, NULL);
CREATE FUNCTION witness_term() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness_row (facts) VALUES (jsonb_build_object('kind', 'row-term', 'run', NEW.run_id, 'term', NEW.term));
  RETURN NULL; END $$;
CREATE FUNCTION witness_write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness_row (facts) VALUES (jsonb_build_object('kind', 'row-write', 'run', NEW.run_id, 'term', NEW.term));
  RETURN NULL; END $$;
CREATE FUNCTION witness_worker() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness_row (facts) VALUES (jsonb_build_object('kind', 'row-worker', 'run', NEW.run_id,
    'beat', TG_OP = 'INSERT' OR OLD.heartbeat <> NEW.heartbeat, 'status', NEW.availability_status));
  RETURN NULL; END $$;
CREATE FUNCTION witness_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO witness_row (facts) VALUES (jsonb_build_object('kind', 'row-job', 'jobId', NEW.job_id::text,
    'state', NEW.state, 'wasState', OLD.state, 'leasedBy', NEW.leased_by, 'wasLeasedBy', OLD.leased_by));
  RETURN NULL; END $$;
CREATE TRIGGER witness AFTER UPDATE ON leader_term FOR EACH ROW EXECUTE FUNCTION witness_term();
CREATE TRIGGER witness AFTER UPDATE ON witnessed_write FOR EACH ROW EXECUTE FUNCTION witness_write();
CREATE TRIGGER witness AFTER INSERT OR UPDATE ON worker FOR EACH ROW EXECUTE FUNCTION witness_worker();
CREATE TRIGGER witness AFTER UPDATE ON job FOR EACH ROW
  WHEN (OLD.state <> NEW.state OR OLD.leased_by IS DISTINCT FROM NEW.leased_by) EXECUTE FUNCTION witness_job()`;

/** Makes the triggers in a test's database. */
export async function installWitness(sql: Sql): Promise<void> {
  await sql.execute(INSTALL, []);
}

/** A fenced write (for `fencedExecute`) that the witness sees. */
export const WITNESSED_WRITE =
  ', changed AS (UPDATE witnessed_write SET writes = writes + 1, term = $1, run_id = $2 FROM fence RETURNING 1)';

const row = z.object({ id: z.coerce.number(), facts: z.record(z.string(), z.unknown()) });

/** Takes what was noted since the last call; `said` dates it and names who wrote where the row does not. */
export async function takeWitnessed(sql: Sql, said: { atMs: number; run: string }): Promise<HistoryEvent[]> {
  const rows = await sql.query('DELETE FROM witness_row RETURNING id, facts', [], row);
  const ordered = rows.toSorted((a, b) => a.id - b.id);
  return ordered.map(({ id, facts }) => parseEvent({ ...said, ...facts, order: id }));
}
