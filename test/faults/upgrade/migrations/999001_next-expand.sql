-- An expanding change as a release brings one. Versions before it know none of this and go on working.
ALTER TABLE job ADD COLUMN next_note text DEFAULT 'none';
ALTER TABLE worker ADD COLUMN next_capability text NOT NULL DEFAULT 'none';
CREATE INDEX job_next_note ON job (next_note) WHERE next_note IS DISTINCT FROM 'none';
CREATE TABLE next_hint (
  hint_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job_id bigint NOT NULL
);

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
