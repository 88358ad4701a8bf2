-- min-version: 100.0.0
-- A contracting change: what only versions before 100.0.0 use goes.
ALTER TABLE worker DROP COLUMN next_capability;
DROP TABLE next_hint;
