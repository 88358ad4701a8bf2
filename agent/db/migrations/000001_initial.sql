-- The cluster's state. All shared time is the database's; no column here is compared with a node's clock.

CREATE TABLE cluster (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  cluster_id text NOT NULL,
  database_id uuid NOT NULL DEFAULT gen_random_uuid(),
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Last copy of gateway, cluster and storage entities of iconik, without secrets.
CREATE TABLE entity (
  kind text NOT NULL CHECK (kind IN ('storage_gateway', 'cluster', 'storage')),
  id text NOT NULL,
  body jsonb NOT NULL,
  date_modified timestamptz,
  seen_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, id)
);

-- One row per installation. heartbeat is a counter: others judge by its standstill, never by last_seen_at.
CREATE TABLE worker (
  worker_id uuid PRIMARY KEY,
  storage_gateway_id text NOT NULL,
  run_id uuid NOT NULL,
  name text NOT NULL,
  host text NOT NULL,
  machine_id text NOT NULL,
  boot_id text NOT NULL,
  version text NOT NULL,
  roles text[] NOT NULL,
  availability_status text NOT NULL,
  status_reason text NOT NULL DEFAULT '',
  health jsonb NOT NULL DEFAULT '[]',
  heartbeat bigint NOT NULL DEFAULT 0,
  started_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Who may run a storage gateway id; a second run is a duplicate.
CREATE TABLE gateway_hold (
  storage_gateway_id text PRIMARY KEY,
  worker_id uuid NOT NULL,
  run_id uuid NOT NULL,
  machine_id text NOT NULL,
  host text NOT NULL,
  boot_id text NOT NULL,
  heartbeat bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- The fence. One row, changed only at take-over, so that FOR SHARE on it serialises leader writes with take-overs.
CREATE TABLE leader_term (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  term bigint NOT NULL,
  run_id uuid,
  why text NOT NULL
);
INSERT INTO leader_term (term, run_id, why) VALUES (0, NULL, 'no leader yet');

-- Changed at each renewal; never part of a fence.
CREATE TABLE leader_lease (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  term bigint NOT NULL,
  renewals bigint NOT NULL,
  released boolean NOT NULL,
  run_id uuid,
  expires_at timestamptz
) WITH (fillfactor = 20);
INSERT INTO leader_lease (term, renewals, released) VALUES (0, 0, true);

CREATE TABLE leader_history (
  term bigint PRIMARY KEY,
  run_id uuid NOT NULL,
  worker_id uuid NOT NULL,
  name text NOT NULL,
  why text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  end_why text
);

CREATE SEQUENCE lease_token;

CREATE TABLE job (
  job_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  role text NOT NULL,
  kind text NOT NULL,
  storage_id text,
  payload jsonb NOT NULL,
  priority int NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
  dedupe_key text NOT NULL,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'leased', 'done', 'failed', 'cancelled')),
  attempts int NOT NULL DEFAULT 0,
  max_attempts int NOT NULL DEFAULT 8,
  run_at timestamptz NOT NULL DEFAULT now(),
  lease_token bigint,
  leased_by uuid,
  leased_worker uuid,
  lease_expires_at timestamptz,
  cancel_requested boolean NOT NULL DEFAULT false,
  progress real NOT NULL DEFAULT 0,
  progress_note text NOT NULL DEFAULT '',
  checkpoint jsonb,
  result jsonb,
  error jsonb,
  origin_kind text,
  origin_record_id text,
  origin_storage_id text,
  origin_iconik_job_id text,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  finished_at timestamptz
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
CREATE UNIQUE INDEX job_active_dedupe ON job (dedupe_key) WHERE state IN ('queued', 'leased');
CREATE INDEX job_dedupe ON job (dedupe_key);
CREATE INDEX job_claim ON job (role, priority DESC, job_id) WHERE state = 'queued';
CREATE INDEX job_leased ON job (leased_by) WHERE state = 'leased';

-- Records of iconik's queues that became jobs. Outlives the job, so that a record delivered twice runs once.
CREATE TABLE job_origin (
  record_kind text NOT NULL,
  record_id text NOT NULL,
  storage_id text NOT NULL,
  job_id bigint NOT NULL,
  -- set once iconik has been told the end and its record is deleted
  settled_at timestamptz,
  PRIMARY KEY (record_kind, record_id)
);
CREATE INDEX job_origin_open ON job_origin (job_id) WHERE settled_at IS NULL;

CREATE TABLE storage_file (
  storage_id text NOT NULL,
  -- NFC form for comparison; path keeps the name as the file system gave it
  path_key text NOT NULL,
  path text NOT NULL,
  directory text NOT NULL,
  size_bytes bigint NOT NULL,
  mtime_ns bigint NOT NULL,
  file_id text NOT NULL,
  state text NOT NULL,
  -- when a scan last saw size or mtime differ (database time)
  changed_at timestamptz NOT NULL DEFAULT now(),
  xxh128 text,
  md5 text,
  asset_id text,
  version_id text,
  format_id text,
  file_set_id text,
  iconik_file_id text,
  attempts int NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  error jsonb,
  PRIMARY KEY (storage_id, path_key)
) WITH (fillfactor = 80);
CREATE INDEX storage_file_directory ON storage_file (storage_id, directory);
CREATE INDEX storage_file_work ON storage_file (storage_id, state, next_attempt_at) WHERE state IN ('seen', 'growing', 'ready', 'hashing', 'hashed', 'ingesting');
CREATE INDEX storage_file_md5 ON storage_file (md5) WHERE md5 IS NOT NULL;
CREATE INDEX storage_file_untold_missing ON storage_file (storage_id) WHERE state = 'missing' AND iconik_file_id IS NOT NULL AND error IS NULL;
CREATE INDEX storage_file_asset ON storage_file (asset_id) WHERE asset_id IS NOT NULL;
CREATE INDEX storage_file_file_set ON storage_file (storage_id, file_set_id) WHERE file_set_id IS NOT NULL;
CREATE INDEX storage_file_iconik_file ON storage_file (storage_id, iconik_file_id) WHERE iconik_file_id IS NOT NULL;

-- What scans found besides files; placed_marker remembers that the root once carried our identity marker.
CREATE TABLE storage_root (
  storage_id text PRIMARY KEY,
  placed_marker boolean NOT NULL DEFAULT false,
  last_scan_started_at timestamptz,
  last_scan_ended_at timestamptz,
  last_scan_seconds int,
  files bigint NOT NULL DEFAULT 0,
  folders bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  problem text
);

-- A creation in iconik, committed before its request is sent (agent/iconik/creation/README.md).
CREATE TABLE intent (
  kind text NOT NULL,
  key text NOT NULL,
  attempt int NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'created', 'void')),
  started_at timestamptz NOT NULL,
  deadline_at timestamptz NOT NULL,
  created_id text,
  PRIMARY KEY (kind, key)
);
CREATE UNIQUE INDEX intent_created ON intent (kind, created_id) WHERE created_id IS NOT NULL;

-- Ids that arrived for an attempt that had been given up: candidates for removal, never used.
CREATE TABLE intent_stray (
  kind text NOT NULL,
  created_id text NOT NULL,
  key text NOT NULL,
  found_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, created_id)
);
