-- How far a scan is, for people: files that the pass under way has seen. Null = no pass under way, or none that lasts.
ALTER TABLE storage_root ADD COLUMN scan_files bigint;
