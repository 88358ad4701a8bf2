-- What each run may send to iconik (agent/cluster/request-share/README.md). Requests a second.

-- One row per credential, which is a hash. version moves at each raise of a share: two that saw the same one cannot both raise.
CREATE TABLE request_budget (
  credential text PRIMARY KEY,
  version bigint NOT NULL DEFAULT 0,
  -- times that iconik throttled a node of the credential, and the pause of the last one
  throttles bigint NOT NULL DEFAULT 0,
  pause_ms int NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

CREATE TABLE request_share (
  run_id uuid PRIMARY KEY,
  credential text NOT NULL,
  demand_per_second float8 NOT NULL,
  held_per_second float8 NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX request_share_credential ON request_share (credential);

-- Files by storage and state without reading the index. Changes are appended, so that no two writers wait for each other;
-- whoever reads folds them now and then.
CREATE TABLE storage_file_change (
  change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  storage_id text NOT NULL,
  state text NOT NULL,
  files bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX storage_file_change_storage ON storage_file_change (storage_id);
CREATE TABLE storage_file_count (
  storage_id text NOT NULL,
  state text NOT NULL,
  files bigint NOT NULL,
  PRIMARY KEY (storage_id, state)
);

CREATE FUNCTION note_files_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO storage_file_change (storage_id, state, files)
  SELECT storage_id, state, count(*) FROM added GROUP BY storage_id, state;
  RETURN NULL;
END
$$;
CREATE FUNCTION note_files_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO storage_file_change (storage_id, state, files)
  SELECT storage_id, state, -count(*) FROM removed GROUP BY storage_id, state;
  RETURN NULL;
END
$$;
CREATE FUNCTION note_files_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO storage_file_change (storage_id, state, files)
  SELECT storage_id, state, sum(n) FROM (
    SELECT storage_id, state, 1 AS n FROM added UNION ALL SELECT storage_id, state, -1 FROM removed) AS moved
  GROUP BY storage_id, state HAVING sum(n) <> 0;
  RETURN NULL;
END
$$;
CREATE TRIGGER storage_file_added AFTER INSERT ON storage_file
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_files_added();
CREATE TRIGGER storage_file_removed AFTER DELETE ON storage_file
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION note_files_removed();
CREATE TRIGGER storage_file_changed AFTER UPDATE ON storage_file
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_files_changed();
-- The triggers hold off writers until this is committed: what is counted here is what they start from.
INSERT INTO storage_file_count (storage_id, state, files)
SELECT storage_id, state, count(*) FROM storage_file GROUP BY storage_id, state;

-- The newest files that could not be ingested, with the reason, for the storage's log in iconik.
CREATE INDEX storage_file_refused ON storage_file (storage_id, changed_at DESC)
  WHERE state IN ('faulty', 'skipped') AND error IS NOT NULL;
