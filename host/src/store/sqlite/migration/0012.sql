-- Whether the delivery goes back behind what was settled already: one of its lane with a later event has arrived or was discarded, or
-- it has itself, before it was made due again; or it was made by a replay.
ALTER TABLE deliveries ADD COLUMN outlived INTEGER NOT NULL DEFAULT 0;

-- What was given up of an ordering key.
CREATE INDEX delivery_dead ON deliveries (lane, subscription) WHERE status = 'dead' AND lane IS NOT NULL;
