-- Positions handed out so far, so that none is ever used twice: not even after the newest rows have expired.
CREATE TABLE sequence (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO sequence (name, last) VALUES ('event', 0), ('delivery', 0);

-- The log. Times are Unix milliseconds.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT,
    time INTEGER NOT NULL,
    datacontenttype TEXT,
    received INTEGER NOT NULL,
    -- The method, the URL and the header fields that were kept, as JSON.
    request TEXT NOT NULL,
    -- The keys that were written with the event and expire with it, as a JSON list.
    keys TEXT,
    data BLOB NOT NULL
);

-- The last line of defence against storing an event twice.
CREATE UNIQUE INDEX event_identity ON events (id, source);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    subscription TEXT NOT NULL,
    -- pending, delivered, discarded or dead
    status TEXT NOT NULL,
    -- When the next attempt is due; NULL unless pending.
    due INTEGER,
    -- Attempts made in all, and since the delivery was last retried by hand.
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    created INTEGER NOT NULL,
    reason TEXT
);

CREATE INDEX delivery_event ON deliveries (seq);
CREATE INDEX delivery_due ON deliveries (subscription, due) WHERE due IS NOT NULL;

CREATE TABLE attempts (
    delivery INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    status INTEGER,
    error TEXT,
    answer TEXT,
    PRIMARY KEY (delivery, number)
) WITHOUT ROWID;

CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    written INTEGER NOT NULL,
    -- The event that the key was last written with; NULL if there was none.
    seq INTEGER
) WITHOUT ROWID;

-- Keys of events expire with the event and need no index by time.
CREATE INDEX key_written ON keys (written) WHERE seq IS NULL;

CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    updated INTEGER NOT NULL
) WITHOUT ROWID;
