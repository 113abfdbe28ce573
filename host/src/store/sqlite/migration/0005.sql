-- Deliveries of one subscription and one lane are made one after another, in the order of their numbers: one of them is due, the
-- others are open with a time that never comes, and fall due when the one before them ends.
ALTER TABLE deliveries ADD COLUMN lane TEXT;

CREATE INDEX delivery_lane ON deliveries (subscription, lane, due, id) WHERE lane IS NOT NULL AND due IS NOT NULL;
