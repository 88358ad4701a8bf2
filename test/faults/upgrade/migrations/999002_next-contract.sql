-- min-version: 100.0.0
-- A contracting change: what 100.0.0 does without goes. The version of this tree writes both at each heartbeat, claim and renewal.
ALTER TABLE worker DROP COLUMN status_reason;
ALTER TABLE job DROP COLUMN progress_note;
