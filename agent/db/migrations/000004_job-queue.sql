-- A queue whose claim costs the same whatever stands in it (agent/jobs/README.md).

ALTER TABLE job
  -- Transcoder profile; each has slots of its own on a node.
  ADD COLUMN profile text NOT NULL DEFAULT '' CHECK (profile = '' OR role = 'TRANSCODE'),
  -- A queued job that waits for run_at, outside of what a claim reads. Means nothing in other states. A run_at in the
  -- future without it is honoured, too, but read past.
  ADD COLUMN deferred boolean NOT NULL DEFAULT false;
UPDATE job SET deferred = true WHERE state = 'queued' AND run_at > now();

-- One shelf per role, kind, profile and storage: a claim reads the first rows of the shelves it can serve and no other.
DROP INDEX job_claim;
CREATE INDEX job_claim ON job (role, kind, profile, coalesce(storage_id, ''), priority DESC, job_id)
  WHERE state = 'queued' AND NOT deferred;
CREATE INDEX job_deferred ON job (run_at) WHERE state = 'queued' AND deferred;

-- How the last checksum of some content ended. Not for other kinds nor for jobs on their way: each index is one more
-- write per change of state.
DROP INDEX job_dedupe;
CREATE INDEX job_ended_checksum ON job (dedupe_key, job_id)
  WHERE kind = 'checksum' AND state IN ('done', 'failed', 'cancelled');

-- Renewals, progress and checkpoints change no indexed column: they stay on their page when there is room on it. Dead rows
-- go soon: the head of job_claim is where they gather.
ALTER TABLE job SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02,
  autovacuum_vacuum_cost_delay = 1, autovacuum_vacuum_cost_limit = 2000);
