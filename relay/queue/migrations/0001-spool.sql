-- Two tables, so that looking for work never touches a body.
-- Times are seconds of the spool's own clock; `clock` says how it stands to Unix time.

CREATE TABLE clock (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  ahead REAL NOT NULL,  -- Unix time is the spool's time plus this
  seen REAL NOT NULL    -- a moment of the spool's time that has passed for certain
);
INSERT INTO clock VALUES (1, 0, 0);

-- A rowid table with increasing ids: bodies are appended, never sorted in.
CREATE TABLE content (
  id INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
);

CREATE TABLE job (
  seq INTEGER PRIMARY KEY,     -- the order in which mail came
  id TEXT NOT NULL,            -- as replies and the log name it
  number INTEGER NOT NULL,     -- of the calls of one submission, from 0
  content INTEGER,             -- NULL once nobody needs it
  size INTEGER NOT NULL,
  sender TEXT,                 -- NULL: the null sender
  recipients TEXT NOT NULL,    -- JSON
  options TEXT NOT NULL,       -- JSON of what is set
  usage TEXT NOT NULL,
  choice TEXT NOT NULL,        -- JSON of what is set
  voids TEXT,                  -- usage and recipients, where newer mail supersedes it
  valid_for REAL,
  report INTEGER NOT NULL,
  accepted_at REAL NOT NULL,
  expires_at REAL NOT NULL,

  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  maybe_sent INTEGER NOT NULL,
  due REAL,
  ended_at REAL,
  reply TEXT,                  -- of the latest attempt, or why it failed
  message_id TEXT,

  CHECK (CASE state
    WHEN 'queued' THEN due IS NOT NULL AND ended_at IS NULL AND message_id IS NULL
    WHEN 'sending' THEN due IS NULL AND ended_at IS NULL AND message_id IS NULL
    WHEN 'sent' THEN due IS NULL AND ended_at IS NOT NULL AND message_id IS NOT NULL
    WHEN 'failed' THEN due IS NULL AND ended_at IS NOT NULL AND reply IS NOT NULL
    WHEN 'superseded' THEN due IS NULL AND ended_at IS NOT NULL
    ELSE 0
  END),
  CHECK (content IS NOT NULL OR state IN ('sent', 'superseded'))
);

-- Each is of one state alone: SQLite takes a partial index only where the query holds
-- the very term of its WHERE, so `state = 'queued'` would not find `state IN (…)`.
-- The statements that must stay fast with a million mails name theirs.
CREATE INDEX job_id ON job (id);
CREATE INDEX job_due ON job (due) WHERE state = 'queued';
CREATE INDEX job_end ON job (expires_at) WHERE state = 'queued';
CREATE INDEX job_age ON job (accepted_at) WHERE state = 'queued';
CREATE INDEX job_hurry ON job (expires_at)
  WHERE state = 'queued' AND valid_for IS NOT NULL;
CREATE INDEX job_sending ON job (state) WHERE state = 'sending';
CREATE INDEX job_voids ON job (voids) WHERE voids IS NOT NULL;
CREATE INDEX job_voided ON job (voids)
  WHERE state = 'queued' AND voids IS NOT NULL;
CREATE INDEX job_ended ON job (state, ended_at) WHERE ended_at IS NOT NULL;
