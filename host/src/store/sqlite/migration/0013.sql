-- When what is due of a call was planned, by the clock of then: if that has been put back since, the wait counts anew.
ALTER TABLE calls ADD COLUMN planned INTEGER NOT NULL DEFAULT 0;
UPDATE calls SET planned = coalesce(json_extract(records, '$[#-1].at'), created) WHERE due IS NOT NULL;
