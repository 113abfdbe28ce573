-- Which filter a subscriber has, as JSON text or `null`; NULL is not known, of those that subscribed before it was noted.
ALTER TABLE followers ADD COLUMN filter TEXT;
-- When that was changed last, in the order of generations; 0 if it never was.
ALTER TABLE followers ADD COLUMN filter_since INTEGER NOT NULL DEFAULT 0;
-- The filters before it that have looked at documents which it has not looked at yet, as JSON; the oldest first.
ALTER TABLE followers ADD COLUMN former TEXT NOT NULL DEFAULT '[]';
