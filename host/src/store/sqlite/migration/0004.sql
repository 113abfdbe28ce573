-- Sources that were written at run time, with their documents as they were written.
CREATE TABLE sources (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    updated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
