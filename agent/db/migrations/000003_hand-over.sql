-- Planned hand-overs: a release may name who goes first, and a drill hands over and back. And what a lease tells candidates.

ALTER TABLE leader_lease ADD COLUMN successor_run_id uuid;
-- The ttl that its holder counts with: candidates wait for the longer of this and their own.
ALTER TABLE leader_lease ADD COLUMN ttl_ms integer;

-- A failover drill. Written by leaders only, fenced; outcome is null while it goes on.
CREATE TABLE leader_drill (
  drill_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  from_run uuid NOT NULL,
  from_term bigint NOT NULL,
  to_run uuid NOT NULL,
  to_name text NOT NULL,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  handed_over_at timestamptz,
  -- the successor has done its part and steps aside
  turn_ended_at timestamptz,
  handed_back_at timestamptz,
  outcome text
);
CREATE INDEX leader_drill_open ON leader_drill (drill_id) WHERE outcome IS NULL;

-- When the new leader's first fenced write was accepted: from here on MAIN work goes on.
ALTER TABLE leader_history ADD COLUMN work_began_at timestamptz;
