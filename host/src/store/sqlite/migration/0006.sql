-- Work on many deliveries that is done in steps: each step and how far it has come are one transaction.
CREATE TABLE jobs (
    -- Never used twice, not even after the newest have expired.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What it does, as JSON.
    work TEXT NOT NULL,
    -- The one subscription that it is for, if it is for one.
    subscription TEXT,
    -- running, finished, cancelled or failed
    state TEXT NOT NULL,
    reason TEXT,
    created INTEGER NOT NULL,
    ended INTEGER,
    -- Positions in the log, or numbers of deliveries: behind which it began, the last that is done with, the last of all.
    first INTEGER NOT NULL,
    place INTEGER NOT NULL,
    last INTEGER NOT NULL,
    -- Whether it goes on behind that with what comes.
    follows INTEGER NOT NULL,
    -- The least position that was left for later.
    left_at INTEGER,
    -- The newest delivery when it was made.
    newest INTEGER NOT NULL,
    examined INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL
) STRICT;

CREATE INDEX job_state ON jobs (state);
