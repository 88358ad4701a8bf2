-- An expanding change as a release brings one. Versions before it know none of this and go on working.
ALTER TABLE job ADD COLUMN next_note text NOT NULL DEFAULT '';
ALTER TABLE worker ADD COLUMN next_reason text NOT NULL DEFAULT '';
CREATE INDEX job_next_note ON job (next_note) WHERE next_note <> '';

-- What hands out jobs in the next version: the same, but for the column that its notes are in.
DO $$
BEGIN
  EXECUTE replace(replace(pg_get_functiondef('job_exchange_2'::regproc), 'job_exchange_2', 'job_exchange_3'),
    'progress_note', 'next_note');
END
$$;

-- What nodes of the next version would write: payloads with a field that earlier ones do not know,
CREATE FUNCTION next_payload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.payload := NEW.payload || '{"nextHint": {"since": "99.0.0", "words": ["a field of the next version"]}}';
  RETURN NEW;
END
$$;
CREATE TRIGGER job_next_payload BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION next_payload();

-- and a job of a kind that nobody knows yet.
INSERT INTO job (role, kind, payload, priority, dedupe_key) VALUES ('CHECKSUM', 'next-kind', '{}', 10, 'next-kind');
