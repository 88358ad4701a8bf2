-- Files that were exported to a storage, for its report: few among many.
CREATE INDEX storage_file_exported ON storage_file (storage_id) WHERE error ->> 'code' = 'exported';
