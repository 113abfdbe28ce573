-- How subscriptions stand: whether their attempts were stopped, by somebody or because of what their endpoints answered.
-- Those that are not named go on.
CREATE TABLE standings (
    subscription TEXT PRIMARY KEY,
    -- active; paused: somebody stopped it; gone: the endpoint said that nobody is there any more; failing: nothing but
    -- failures
    standing TEXT NOT NULL,
    -- gone: the status; failing: for how many milliseconds
    detail INTEGER NOT NULL,
    since INTEGER NOT NULL,
    -- Since when nothing but failures came back, if that is to be known after a restart.
    failing INTEGER
) WITHOUT ROWID;
