-- Mail waits in the lane of its account, so that one that cannot send holds up no
-- other. `account` is its name in the settings, '' for [ses]; `lane` its number there,
-- which each start looks up anew.

ALTER TABLE job ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;

DROP INDEX job_due;
CREATE INDEX job_due ON job (lane, priority, due) WHERE state = 'queued';
-- Of [ses] alone, as most relays have it, nothing is in it.
CREATE INDEX job_account ON job (account, lane) WHERE account <> '';
