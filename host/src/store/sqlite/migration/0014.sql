-- The last event of the log when it subscribed: what was decided up to there was for another one that had its name before.
ALTER TABLE followers ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
