-- Which mail counted towards a template's limit per recipient, and until when.

CREATE TABLE passed (
  template TEXT NOT NULL,
  address TEXT NOT NULL,   -- in lower case, without its +tag
  at REAL NOT NULL,        -- seconds of the spool's clock
  mail TEXT NOT NULL,      -- its id
  until REAL NOT NULL,     -- counts for nobody from then on
  PRIMARY KEY (template, address, at, mail)
) WITHOUT ROWID;
CREATE INDEX passed_until ON passed (until);
