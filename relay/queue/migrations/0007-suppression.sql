-- Who gets no mail any more, and what else is remembered of an address: when it was
-- removed by hand, its soft bounces in a row. Times are Unix seconds, as SES says them.

CREATE TABLE suppression (
  -- Each change has a higher one, so that who looks again finds what is new.
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  address TEXT NOT NULL UNIQUE,  -- in lower case
  reason TEXT,                   -- NULL: it gets mail
  at REAL,
  source TEXT,
  detail TEXT,
  removed REAL NOT NULL,
  delivered REAL NOT NULL,
  soft TEXT NOT NULL,            -- JSON
  changed REAL NOT NULL,
  CHECK (reason IS NULL OR at IS NOT NULL AND source IS NOT NULL)
);
CREATE INDEX suppression_past ON suppression (changed) WHERE reason IS NULL;
CREATE INDEX suppression_bounce ON suppression (at)
  WHERE reason = 'bounce' AND source = 'event';
