-- The conversation with the queue for hundreds of jobs at a time (agent/jobs/README.md). job_exchange_1 stays for nodes of
-- earlier versions.

-- All that a node's slots want of the queue at an instant, in one statement: ends leases and leases jobs for the slots that
-- this frees. A function for the reasons that stand in 000004. Its cost grows with what it ends and leases and nothing else.
-- Another meaning gets another number.
--   end_*: arrays of the same length, one entry per lease to end; what an end has not (result, error) is null
--   lanes: [{role, kinds, slots, taken, most}]; with taken ({profile: count}) every profile has the slots, with most no
--   more jobs in all
--   places: storages whose jobs may be taken, and '' for jobs of none
-- One row 'ended' and one 'lost' at most, their job_id a list of ids with commas between; a row 'claimed' per job.
CREATE FUNCTION job_exchange_2(fence_term bigint, run uuid, worker uuid, lease_s float8,
  end_ids bigint[], end_tokens bigint[], end_states text[], end_results jsonb[], end_errors jsonb[], end_after_ms float8[],
  end_refunds boolean[], lanes jsonb, places text[], smaller_first boolean)
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
  -- A variable, because a constant would let the planner walk through job_active_dedupe instead of looking jobs up.
  active text[] := '{leased,queued}';
  ended bigint[];
  lost bigint[];
  -- Ended here and perhaps queued: not to be leased by the same statement, whose caller still has them in hand.
  apart bigint[] := '{}';
  lane record;
  shelf text;
  slots_left int;
  lane_left int;
  picked bigint[];
  has_fence boolean := false;
BEGIN
  IF cardinality(end_ids) > 0 THEN
    -- Locked in the order of ids, like everywhere; claims lock without waiting. No circle of waits can form. A row that
    -- another statement changes meanwhile is waited for and judged as it is then.
    WITH done AS (
      UPDATE job SET
        state = ending.state, result = ending.result, error = ending.error,
        finished_at = CASE WHEN ending.state <> 'queued' THEN now() END,
        progress = CASE WHEN ending.state = 'done' THEN 1 ELSE job.progress END,
        run_at = CASE WHEN ending.state = 'queued' THEN now() + make_interval(secs => ending.after_ms / 1000) ELSE job.run_at END,
        deferred = ending.state = 'queued' AND ending.after_ms > 0,
        attempts = CASE WHEN ending.refund THEN greatest(job.attempts - 1, 0) ELSE job.attempts END,
        -- A requeued job must not be taken back by the runner that gave it up.
        lease_token = CASE WHEN ending.state <> 'queued' THEN job.lease_token END,
        leased_worker = CASE WHEN ending.state <> 'queued' THEN job.leased_worker END,
        leased_by = NULL, lease_expires_at = NULL
      FROM (
        SELECT * FROM unnest(end_ids, end_tokens, end_states, end_results, end_errors, end_after_ms, end_refunds)
          AS given (job_id, lease_token, state, result, error, after_ms, refund)
        ORDER BY given.job_id) AS ending
      WHERE job.job_id = ending.job_id AND job.lease_token = ending.lease_token AND job.state = ANY (active)
      RETURNING job.job_id
    )
    SELECT coalesce(array_agg(done.job_id), '{}') INTO ended FROM done;

    IF cardinality(ended) < cardinality(end_ids) THEN
      -- A job that carries the token in a final state was ended by this very lease; the answer got lost.
      SELECT coalesce(array_agg(job.job_id), '{}') || ended INTO ended
      FROM unnest(end_ids, end_tokens) AS given (job_id, lease_token), job
      WHERE job.job_id = given.job_id AND job.lease_token = given.lease_token AND NOT job.state = ANY (active);
      lost := ARRAY(SELECT unnest(end_ids) EXCEPT SELECT unnest(ended));
      IF cardinality(lost) > 0 THEN
        RETURN QUERY SELECT 'lost', array_to_string(lost, ','), NULL, NULL, NULL, NULL, NULL, NULL::jsonb, NULL::int,
          NULL::jsonb, NULL, NULL, NULL, NULL, NULL::int;
      END IF;
      apart := end_ids;
    ELSIF 'queued' = ANY (end_states) THEN
      apart := end_ids;
    END IF;
    IF cardinality(ended) > 0 THEN
      RETURN QUERY SELECT 'ended', array_to_string(ended, ','), NULL, NULL, NULL, NULL, NULL, NULL::jsonb, NULL::int,
        NULL::jsonb, NULL, NULL, NULL, NULL, NULL::int;
    END IF;
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
              AND job.run_at <= now() AND NOT job.cancel_requested AND job.job_id <> ALL (apart)
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
                AND job.run_at <= now() AND NOT job.cancel_requested AND job.job_id <> ALL (apart)
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
