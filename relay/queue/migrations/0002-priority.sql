-- Due mail leaves by priority (0 high, 1 normal, 2 low), then by age.
-- What waits keeps its place: mail with validFor was high by nature.

ALTER TABLE job ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
UPDATE job SET priority = 0 WHERE state = 'queued' AND valid_for IS NOT NULL;

DROP INDEX job_due;
DROP INDEX job_hurry;
CREATE INDEX job_due ON job (priority, due) WHERE state = 'queued';
