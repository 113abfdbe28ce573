-- What is known of an event beside its attributes, as one JSON object: the request that carried it, and whatever is not
-- what it usually is (origin, cause, extension attributes, failed filters). It stands before the data in each row, so that
-- listing large events does not read them; a new column would stand behind.
ALTER TABLE events RENAME COLUMN request TO details;

-- One index for listings by source, by type and by both: whoever asks for one of them finds the values of the other with
-- a few jumps.
CREATE INDEX event_kind ON events (source, type);

-- How many milliseconds after it was made the delivery ended: retention goes by that. NULL while it is pending; and for
-- those that ended before there was this column, which ended with their last attempt.
ALTER TABLE deliveries ADD COLUMN ended_after INTEGER;
-- What the clock said when `due` was written, if that was not when the delivery was made.
ALTER TABLE deliveries ADD COLUMN planned INTEGER;

-- For listings. A delivery gets into them once, when it ends; the open ones are found by what the process keeps of them.
CREATE INDEX delivery_ended ON deliveries (subscription, status) WHERE due IS NULL;
CREATE INDEX delivery_failed ON deliveries (status) WHERE status IN ('dead', 'discarded');

-- Stretches of the log, each of about a thousand entries or deliveries, with the times in them: so a range of time is
-- found without an index, whatever the clock did. The last one says which positions were handed out.
CREATE TABLE segments (
    number INTEGER PRIMARY KEY,
    -- The last positions in it; the first ones follow those of the segment before.
    event INTEGER NOT NULL,
    delivery INTEGER NOT NULL,
    -- The least and the greatest time in it; NULL if nothing is in it.
    received_from INTEGER,
    received_to INTEGER,
    created_from INTEGER,
    created_to INTEGER
);

INSERT INTO segments
SELECT
    row_number() OVER (ORDER BY part),
    max(event), 0, min(received_from), max(received_to), NULL, NULL
FROM (
    SELECT (seq - 1) / 1024 AS part, max(seq) AS event, min(received) AS received_from, max(received) AS received_to
    FROM events GROUP BY part
)
GROUP BY part;
INSERT INTO segments
SELECT
    (SELECT count(*) FROM segments) + row_number() OVER (ORDER BY part),
    (SELECT last FROM sequence WHERE name = 'event'), max(delivery), NULL, NULL, min(created_from), max(created_to)
FROM (
    SELECT (id - 1) / 1024 AS part, max(id) AS delivery, min(created) AS created_from, max(created) AS created_to
    FROM deliveries GROUP BY part
)
GROUP BY part;
INSERT INTO segments
SELECT
    coalesce(max(number), 0) + 1,
    (SELECT last FROM sequence WHERE name = 'event'),
    (SELECT last FROM sequence WHERE name = 'delivery'),
    NULL, NULL, NULL, NULL
FROM segments;

-- The greatest position that retention has deleted: behind it nothing is missing.
INSERT INTO sequence (name, last)
SELECT 'expired', coalesce(
    (
        SELECT max(later.seq) - 1 FROM events AS later
        WHERE later.seq > 1 AND NOT EXISTS (SELECT 1 FROM events WHERE seq = later.seq - 1)
    ),
    CASE WHEN EXISTS (SELECT 1 FROM events) THEN 0 ELSE (SELECT last FROM sequence WHERE name = 'event') END
);
DELETE FROM sequence WHERE name IN ('event', 'delivery');

-- Events that came again.
CREATE TABLE repetitions (
    seq INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    -- The last times, oldest first, as a JSON list.
    times TEXT NOT NULL
);

-- Events on which the filter of a subscription failed.
CREATE TABLE failed_filters (
    subscription TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (subscription, seq)
) WITHOUT ROWID;

-- Subscriptions that are gone: what is committed for them by a decision that still named them is dead from the start.
CREATE TABLE abandoned (
    subscription TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID;

-- The subscriptions that the configuration file had at the last start or reload.
CREATE TABLE declared (
    id TEXT PRIMARY KEY,
    waits INTEGER NOT NULL
) WITHOUT ROWID;
