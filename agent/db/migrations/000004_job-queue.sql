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
-- Looked for each second by each node: must cost nothing while there are none.
CREATE INDEX job_cancel ON job (job_id) WHERE state = 'queued' AND cancel_requested;

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

-- All that a node's slots want of the queue at an instant, in one statement: ends leases and leases jobs for the slots that
-- this frees. A function, because its plans are made once per connection and not at every call (planning took longer than
-- the work), also through pgBouncer, and because it can say which plans are fit for a queue: counts of rows are out of date
-- here at any time, and a claim that scans and sorts a backlog is never right. Another meaning gets another number.
--   ends: [{jobId, leaseToken, state, result, error, afterMs, refund}], end_ids their ids
--   lanes: [{role, kinds, slots, taken, most}]; with taken ({profile: count}) every profile has the slots, with most no
--   more jobs in all
--   places: storages whose jobs may be taken, and '' for jobs of none
CREATE FUNCTION job_exchange_1(fence_term bigint, run uuid, worker uuid, lease_s float8, ends jsonb, end_ids bigint[],
  lanes jsonb, places text[], smaller_first boolean)
RETURNS TABLE (what text, job_id text, lease_token text, role text, kind text, profile text, storage_id text, payload jsonb,
  attempts int, checkpoint jsonb, origin_kind text, origin_record_id text, origin_storage_id text,
  origin_iconik_job_id text, max_attempts int)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off
-- A single statement has no other limit for waits on the server's side: a silent client could hold up a node's whole queue.
SET lock_timeout = '2s'
AS $$
#variable_conflict use_column
DECLARE
  lane record;
  shelf text;
  slots_left int;
  lane_left int;
  picked bigint[];
  has_fence boolean := false;
BEGIN
  IF cardinality(end_ids) > 0 THEN
    -- Locked first and in the order of ids, like everywhere; claims lock without waiting. No circle of waits can form.
    RETURN QUERY
    WITH ending AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(ends) AS ending (
        "jobId" bigint, "leaseToken" bigint, state text, result jsonb, error jsonb, "afterMs" float8, refund boolean)
    ), standing AS MATERIALIZED (
      SELECT job.job_id, job.state, job.lease_token FROM job WHERE job.job_id = ANY (end_ids) ORDER BY job.job_id FOR UPDATE
    ), judged AS MATERIALIZED (
      SELECT ending.*, standing.lease_token = ending."leaseToken" AS is_same, standing.state AS standing_state
      FROM ending LEFT JOIN standing ON standing.job_id = ending."jobId"
    ), ended AS (
      UPDATE job SET
        state = judged.state, result = judged.result, error = judged.error,
        finished_at = CASE WHEN judged.state <> 'queued' THEN now() END,
        progress = CASE WHEN judged.state = 'done' THEN 1 ELSE job.progress END,
        run_at = CASE WHEN judged.state = 'queued' THEN now() + make_interval(secs => judged."afterMs" / 1000) ELSE job.run_at END,
        deferred = judged.state = 'queued' AND judged."afterMs" > 0,
        attempts = CASE WHEN judged.refund THEN greatest(job.attempts - 1, 0) ELSE job.attempts END,
        -- A requeued job must not be taken back by the runner that gave it up.
        lease_token = CASE WHEN judged.state <> 'queued' THEN job.lease_token END,
        leased_worker = CASE WHEN judged.state <> 'queued' THEN job.leased_worker END,
        leased_by = NULL, lease_expires_at = NULL
      FROM judged
      WHERE job.job_id = judged."jobId" AND judged.is_same AND judged.standing_state IN ('leased', 'queued')
    )
    SELECT CASE WHEN is_same THEN 'ended' ELSE 'lost' END, "jobId"::text, NULL, NULL, NULL, NULL, NULL, NULL::jsonb, NULL::int,
      NULL::jsonb, NULL, NULL, NULL, NULL, NULL::int
    FROM judged;
  END IF;

  IF fence_term IS NOT NULL THEN
    PERFORM 1 FROM leader_term WHERE term = fence_term AND run_id = run FOR SHARE;
    has_fence := FOUND;
  END IF;

  FOR lane IN SELECT * FROM jsonb_to_recordset(lanes) AS wanted (role text, kinds text[], slots int, taken jsonb, most int) LOOP
    CONTINUE WHEN lane.role = 'MAIN' AND NOT has_fence;
    shelf := '';
    lane_left := lane.most;
    WHILE shelf IS NOT NULL LOOP
      -- A missing limit (null) limits nothing.
      slots_left := least(lane.slots - coalesce((lane.taken ->> shelf)::int, 0), lane_left);
      IF slots_left > 0 AND NOT smaller_first THEN
        SELECT ARRAY(
          SELECT head.job_id FROM unnest(lane.kinds) AS wanted (kind), unnest(places) AS place (storage_id), LATERAL (
            SELECT job.job_id, job.priority FROM job
            WHERE job.state = 'queued' AND NOT job.deferred AND job.role = lane.role AND job.kind = wanted.kind
              AND job.profile = shelf AND coalesce(job.storage_id, '') = place.storage_id
              AND job.run_at <= now() AND NOT job.cancel_requested AND job.job_id <> ALL (end_ids)
            ORDER BY job.priority DESC, job.job_id LIMIT slots_left FOR UPDATE SKIP LOCKED) AS head
          ORDER BY head.priority DESC, head.job_id LIMIT slots_left) INTO picked;
      ELSIF slots_left > 0 THEN
        -- The index has larger ones first: taken level by level, as far as slots reach.
        SELECT ARRAY(
          SELECT head.job_id FROM unnest(lane.kinds) AS wanted (kind), unnest(places) AS place (storage_id), LATERAL (
            SELECT level.job_id, level.priority FROM generate_series(1, 10) AS step, LATERAL (
              SELECT job.job_id, job.priority FROM job
              WHERE job.state = 'queued' AND NOT job.deferred AND job.role = lane.role AND job.kind = wanted.kind
                AND job.profile = shelf AND coalesce(job.storage_id, '') = place.storage_id AND job.priority = step
                AND job.run_at <= now() AND NOT job.cancel_requested AND job.job_id <> ALL (end_ids)
              ORDER BY job.job_id LIMIT slots_left FOR UPDATE SKIP LOCKED) AS level
            LIMIT slots_left) AS head
          ORDER BY head.priority, head.job_id LIMIT slots_left) INTO picked;
      END IF;
      IF slots_left > 0 AND cardinality(picked) > 0 THEN
        RETURN QUERY
        UPDATE job SET state = 'leased', lease_token = nextval('lease_token'), leased_by = run, leased_worker = worker,
          lease_expires_at = now() + make_interval(secs => lease_s), attempts = job.attempts + 1,
          started_at = coalesce(job.started_at, now()), error = NULL, progress = 0, progress_note = ''
        WHERE job.job_id = ANY (picked)
        RETURNING 'claimed', job.job_id::text, job.lease_token::text, job.role, job.kind, job.profile, job.storage_id,
          job.payload, job.attempts, job.checkpoint, job.origin_kind, job.origin_record_id, job.origin_storage_id,
          job.origin_iconik_job_id, job.max_attempts;
        lane_left := lane_left - cardinality(picked);
      END IF;
      EXIT WHEN lane.taken IS NULL OR lane_left <= 0;
      SELECT min(step.profile) INTO shelf FROM unnest(lane.kinds) AS wanted (kind), LATERAL (
        SELECT job.profile FROM job
        WHERE job.state = 'queued' AND NOT job.deferred AND job.role = lane.role AND job.kind = wanted.kind
          AND job.profile > shelf
        ORDER BY job.profile LIMIT 1) AS step;
    END LOOP;
  END LOOP;
END
$$;
