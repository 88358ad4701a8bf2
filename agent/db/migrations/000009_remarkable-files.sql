-- Files that a report counts by what is noted at them: exported ones, and sidecars that cannot be used. Few among many.
CREATE INDEX storage_file_remarkable ON storage_file (storage_id, (error ->> 'code'))
  WHERE error ->> 'code' IN ('exported', 'sidecar-invalid');
