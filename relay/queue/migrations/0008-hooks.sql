-- What endpoints are to be told by HTTP of what became of mail.

CREATE TABLE hook (
  place INTEGER PRIMARY KEY,  -- in the order in which it came
  id TEXT NOT NULL,           -- the event's
  endpoint TEXT NOT NULL,     -- its name in the settings
  body TEXT NOT NULL,         -- JSON
  at REAL NOT NULL,           -- seconds of the spool's clock
  attempts INTEGER NOT NULL,
  due REAL NOT NULL
);
CREATE INDEX hook_due ON hook (endpoint, due, place);
CREATE INDEX hook_at ON hook (at);
