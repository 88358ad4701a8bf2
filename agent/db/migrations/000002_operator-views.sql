-- What operators look at must stay quick while the tables grow.

-- Throughput of the last hour.
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;
-- Last failure of each role, and lists of what did not succeed.
CREATE INDEX job_unsuccessful ON job (state, role, finished_at) WHERE state IN ('failed', 'cancelled');
-- Files that need attention, in the order in which they are listed.
CREATE INDEX storage_file_problem ON storage_file (storage_id, path_key)
  WHERE state IN ('missing', 'faulty', 'skipped', 'empty') OR error IS NOT NULL;
