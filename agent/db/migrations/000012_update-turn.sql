-- Whose turn it is to install a new version of the program (agent/cluster/update-turn/README.md). One row.
CREATE TABLE update_turn (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  -- number of the newest turn; only grows; the fencing token of whoever has it
  turn bigint NOT NULL DEFAULT 0,
  -- the installation that has the turn: a turn outlives the restart of the program; null = nobody
  worker_id text,
  node_name text NOT NULL DEFAULT '',
  version text NOT NULL DEFAULT '',
  -- whether the installation may have begun: a turn that lapses then says that the version does not come back
  is_installing boolean NOT NULL DEFAULT false,
  renewals bigint NOT NULL DEFAULT 0,
  -- the version that did not start on a node, and on which
  failed_version text,
  failed_worker_id text,
  failed_node_name text NOT NULL DEFAULT ''
);
INSERT INTO update_turn DEFAULT VALUES;
