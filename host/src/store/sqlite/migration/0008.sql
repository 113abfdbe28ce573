-- Resources: whose documents are told of.
CREATE TABLE resources (
    id TEXT PRIMARY KEY,
    -- The document as it was written.
    document TEXT NOT NULL,
    -- When it was first there; listings have them in this order, and in that of their ids where it is the same.
    created INTEGER NOT NULL,
    -- Whether it is one of the configuration file.
    declared INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who subscribed to which resource, and when, in an order that all have together: the documents that changed before are none of
-- theirs. Documents themselves are keys, as is what of them subscribers have; they are written at the end of time, when
-- no retention looks.
CREATE TABLE followers (
    subscription TEXT PRIMARY KEY,
    resource TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created INTEGER NOT NULL,
    -- How far it was told of what was there before, as the last key; NULL if it is not being told.
    backfilled TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX follower_resource ON followers (resource, generation);

INSERT OR IGNORE INTO sequence (name, last) VALUES ('generation', 0);
