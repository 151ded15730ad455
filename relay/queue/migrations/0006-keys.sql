-- What was answered to mail with an idempotency key, so that it is answered again.

CREATE TABLE key (
  scope TEXT NOT NULL,        -- whose key it is: a user's or a listener's
  text TEXT NOT NULL,
  fingerprint BLOB NOT NULL,  -- of the submission that it stands for
  mail TEXT NOT NULL,         -- its id
  reply TEXT NOT NULL,        -- what its client heard
  message_id TEXT NOT NULL,   -- empty: it was not SES that took it
  at REAL NOT NULL,           -- seconds of the spool's clock
  PRIMARY KEY (scope, text)
) WITHOUT ROWID;
CREATE INDEX key_at ON key (at);
