-- Callbacks: addresses that programs await. What comes there is in the log.
CREATE TABLE callbacks (
    name TEXT PRIMARY KEY,
    -- The last part of its address.
    token TEXT NOT NULL,
    -- What is asked of those who come, as JSON.
    document TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    closed INTEGER,
    -- Whether somebody closed it, rather than its only callback.
    cancelled INTEGER NOT NULL,
    -- The last position in the log that is done with.
    acked INTEGER NOT NULL,
    -- How many came in and are not done with: rows of the inbox.
    waiting INTEGER NOT NULL,
    -- Grows with each who begins to await it.
    holder INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX callback_end ON callbacks (min(coalesce(closed, expires), coalesce(expires, closed)));

-- What came in and is not done with, by its position in the log: it stays there as long as it stands here.
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY,
    callback TEXT NOT NULL
) STRICT;

CREATE INDEX inbox_callback ON inbox (callback);
