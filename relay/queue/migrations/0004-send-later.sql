-- Mail that its client wants to be sent later: its time counts from then, and until then
-- it is older than nobody.

ALTER TABLE job ADD COLUMN send_at REAL;  -- NULL: at once

DROP INDEX job_age;
CREATE INDEX job_age ON job (coalesce(send_at, accepted_at)) WHERE state = 'queued';
