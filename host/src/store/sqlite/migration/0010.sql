-- The open deliveries of a subscription stand in two lines, first attempts and retries, each in the order in which they fall due.
DROP INDEX delivery_due;
CREATE INDEX delivery_due ON deliveries (subscription, (tries > 0), due) WHERE due IS NOT NULL;
