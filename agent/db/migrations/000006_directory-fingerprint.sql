-- What scans know of whole directories (agent/roles/main/scan/README.md). A fingerprint stands for the rows of its directory:
-- whoever changes what these rows say of the files on the storage makes it void, by the triggers below, and scans
-- themselves, which say so by isg.scan_pass, write rows and fingerprint in one transaction.
CREATE TABLE storage_directory (
  storage_id text NOT NULL,
  -- NFC form, as in storage_file
  directory text NOT NULL,
  -- null = the directory must be compared row by row
  fingerprint text,
  -- moves with each change of the rows by others than a scan that writes the fingerprint
  generation bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (storage_id, directory)
) WITH (fillfactor = 80);

-- Files that wait to be quiet: asked for each directory of each scan.
CREATE INDEX storage_file_waiting ON storage_file (storage_id, directory) WHERE state IN ('seen', 'growing');

CREATE FUNCTION void_directory_fingerprint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(current_setting('isg.scan_pass', true), '') = 'on' THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    INSERT INTO storage_directory AS known (storage_id, directory, generation)
    SELECT DISTINCT touched.storage_id, touched.directory, 1
    FROM old_row FULL JOIN new_row
      ON new_row.storage_id = old_row.storage_id AND new_row.path_key = old_row.path_key
    CROSS JOIN LATERAL (VALUES (old_row.storage_id, old_row.directory), (new_row.storage_id, new_row.directory))
      AS touched (storage_id, directory)
    WHERE touched.directory IS NOT NULL
      AND (old_row.path, old_row.directory, old_row.size_bytes, old_row.mtime_ns, old_row.file_id,
           old_row.state IN ('missing', 'skipped'))
        IS DISTINCT FROM
          (new_row.path, new_row.directory, new_row.size_bytes, new_row.mtime_ns, new_row.file_id,
           new_row.state IN ('missing', 'skipped'))
    ORDER BY 1, 2
    ON CONFLICT (storage_id, directory) DO UPDATE SET generation = known.generation + 1, fingerprint = NULL;
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO storage_directory AS known (storage_id, directory, generation)
    SELECT DISTINCT storage_id, directory, 1 FROM new_row ORDER BY 1, 2
    ON CONFLICT (storage_id, directory) DO UPDATE SET generation = known.generation + 1, fingerprint = NULL;
  ELSE
    INSERT INTO storage_directory AS known (storage_id, directory, generation)
    SELECT DISTINCT storage_id, directory, 1 FROM old_row ORDER BY 1, 2
    ON CONFLICT (storage_id, directory) DO UPDATE SET generation = known.generation + 1, fingerprint = NULL;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER storage_file_inserted AFTER INSERT ON storage_file
  REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION void_directory_fingerprint();
CREATE TRIGGER storage_file_updated AFTER UPDATE ON storage_file
  REFERENCING OLD TABLE AS old_row NEW TABLE AS new_row FOR EACH STATEMENT EXECUTE FUNCTION void_directory_fingerprint();
CREATE TRIGGER storage_file_deleted AFTER DELETE ON storage_file
  REFERENCING OLD TABLE AS old_row FOR EACH STATEMENT EXECUTE FUNCTION void_directory_fingerprint();
