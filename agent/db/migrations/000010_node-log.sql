-- The log of all nodes (agent/cluster/log-shipping/README.md).

-- One row per outbox, which is a node's cache file. `holder` is the word of the run that ships it: of two that ship the same
-- outbox (one of them a copy) only one knows it.
CREATE TABLE log_outbox (
  outbox_id uuid PRIMARY KEY,
  worker_id text NOT NULL,
  node text NOT NULL,
  holder uuid NOT NULL,
  -- all records up to this one are here, but for those that were dropped
  watermark bigint NOT NULL,
  shipped_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20);
CREATE INDEX log_outbox_worker ON log_outbox (worker_id);

CREATE TABLE node_log (
  outbox_id uuid NOT NULL,
  seq bigint NOT NULL,
  -- the node's clock: a label
  at timestamptz NOT NULL,
  -- debug, info, warn, error
  level smallint NOT NULL CHECK (level BETWEEN 0 AND 3),
  message text NOT NULL,
  role text,
  job_id text,
  storage_id text,
  term bigint,
  fields jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (outbox_id, seq)
);
-- for deletion by age; rows of one transaction share the value, which keeps the index small
CREATE INDEX node_log_received ON node_log (received_at);
