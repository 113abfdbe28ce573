-- Outgoing calls: requests to other systems' APIs. What happens to them is in the log, too; here is how they stand.
CREATE TABLE calls (
    -- The position of the request in the log.
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    api TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Grows with every write: who has seen another one writes nothing.
    revision INTEGER NOT NULL,
    -- pending, success, failure, timeout or cancelled
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    -- When something is to be done about it; NULL once it has ended.
    due INTEGER,
    -- Who makes the attempts that are under way.
    owner TEXT,
    ended INTEGER,
    -- The policy that it was made with, the method, path and header fields, what happened, and the positions of the entries
    -- that tell of that: JSON.
    policy TEXT NOT NULL,
    request TEXT NOT NULL,
    records TEXT NOT NULL,
    entries TEXT NOT NULL,
    body BLOB NOT NULL,
    -- The status and the header fields of the answer, as JSON, and its body.
    answer TEXT,
    answer_body BLOB
) STRICT;

CREATE UNIQUE INDEX call_key ON calls (api, key);
CREATE INDEX call_due ON calls (api, due) WHERE due IS NOT NULL;
CREATE INDEX call_state ON calls (state, seq);
CREATE INDEX call_api ON calls (api, seq);
CREATE INDEX call_ended ON calls (ended) WHERE ended IS NOT NULL;
CREATE INDEX call_owner ON calls (owner) WHERE owner IS NOT NULL;

-- What was said of an API at run time, and what the log last told of its policy.
CREATE TABLE apis (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    recorded TEXT NOT NULL
) STRICT, WITHOUT ROWID;
