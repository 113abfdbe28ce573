//! The log.

use super::*;
use crate::store::LogId;

#[async_trait]
impl LogStore for ModelStore {
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StoreError> {
        let mut state = self.state();
        let changed = commit
            .keys
            .reads
            .iter()
            .any(|(key, seen)| state.keys.get(key).map(|(value, ..)| value) != seen.as_ref());
        let known = commit.events.iter().any(|new| {
            let same = |(old, ..): &(NewEvent, _)| {
                old.event.id == new.event.id && old.event.source == new.event.source
            };
            state.events.values().any(same)
        });
        if changed
            || known
            || !commit.calls.iter().all(|write| state.fits(write))
            || !commit.callbacks.iter().all(|write| state.takes(write, commit.now))
        {
            return Ok(CommitOutcome::Conflict);
        }
        let (mut seqs, mut deliveries, mut parked) = (Vec::new(), Vec::new(), 0);
        for new in commit.events {
            state.last.0 += 1;
            let seq = EventSeq(state.last.0);
            let (subscriptions, ordering) = (new.subscriptions.clone(), new.ordering.clone());
            let first = seqs.first().copied().unwrap_or(seq);
            let cause = new.cause.map(|cause| Cause::Entry(position(cause).unwrap_or(first)));
            state.events.insert(seq, (NewEvent { cause, ..new }, Repetitions::default()));
            for subscription in subscriptions {
                if state.holds_back(&subscription, seq, commit.now) {
                    continue;
                }
                let lane = ordering.iter().find(|(name, _)| *name == subscription);
                let id =
                    state.deliver(seq, &subscription, commit.now, Some(lane.map(|(_, key)| key.clone())));
                if state.deliveries[&id].parked {
                    parked += 1;
                    continue;
                }
                if let Some(terms) = commit.lease.as_ref().filter(|_| state.deliveries[&id].is_open()) {
                    deliveries.push(state.lease(id, terms));
                }
            }
            seqs.push(seq);
        }
        for (key, value) in commit.keys.writes {
            match value {
                Some(value) => state.keys.insert(key, (value, commit.now, seqs.first().copied())),
                None => state.keys.remove(&key),
            };
        }
        for write in commit.calls {
            state.write_call(write, &seqs);
        }
        for (write, seq) in commit.callbacks.into_iter().zip(&seqs) {
            state.inbox.insert(*seq, write.name.clone());
            let there = state.callbacks.get_mut(&write.name).unwrap();
            there.waiting += 1;
            there.closed = there.closed.or(write.closes.then_some(commit.now));
        }
        for api in commit.apis {
            state.apis.insert(api.name.clone(), api);
        }
        for again in commit.repetitions {
            let same = |(old, ..): &&mut (NewEvent, Repetitions)| {
                old.event.id == again.id && old.event.source == again.source
            };
            if let Some((_, repetitions)) = state.events.values_mut().find(same) {
                repetitions.count += 1;
                repetitions.times.push(again.received);
                let surplus = repetitions.times.len().saturating_sub(Repetitions::MOST_TIMES);
                repetitions.times.drain(..surplus);
            }
        }
        self.head.send_replace(EventSeq(state.last.0));
        let freed = std::mem::take(&mut state.freed);
        Ok(CommitOutcome::Committed { seqs, deliveries, parked, freed })
    }

    async fn read(&self, after: EventSeq, limit: usize, bytes: usize) -> Result<LogPart, StoreError> {
        let state = self.state();
        if after.0 < state.expired {
            return Ok(LogPart::Gap { oldest: EventSeq(state.expired + 1) });
        }
        let (mut entries, mut size) = (Vec::new(), 0);
        for (seq, (new, ..)) in state.events.range(EventSeq(after.0 + 1)..) {
            size += new.data.len();
            if entries.len() == limit || (size > bytes && !entries.is_empty()) {
                break;
            }
            entries.push(LogEntry {
                seq: *seq,
                event: new.event.clone(),
                origin: new.origin,
                cause: new.cause.and_then(position),
                request: new.request.clone(),
                received: new.received,
                data: new.data.clone(),
            });
        }
        Ok(LogPart::Entries(entries))
    }

    fn identity(&self) -> LogId {
        LogId::new(1, [])
    }

    fn head(&self) -> watch::Receiver<EventSeq> {
        self.head.subscribe()
    }

    async fn at(&self, time: UnixMillis) -> Result<EventSeq, StoreError> {
        let state = self.state();
        let first = state.events.iter().find(|(_, (new, ..))| new.received >= time);
        Ok(first.map_or(EventSeq(state.last.0), |(seq, _)| EventSeq(seq.0 - 1)))
    }

    async fn events(&self, query: EventQuery) -> Result<Page<EventRecord>, StoreError> {
        let state = self.state();
        let wanted = |record: &EventRecord| {
            query.source.as_ref().is_none_or(|source| *source == record.event.source)
                && query.kind.as_ref().is_none_or(|kind| *kind == record.event.kind)
                && query
                    .failed
                    .as_ref()
                    .is_none_or(|id| record.failures.iter().any(|one| one.subscription == *id))
                && query.since.is_none_or(|since| record.received >= since)
                && query.until.is_none_or(|until| record.received < until)
                && query.cursor.is_none_or(|cursor| match query.order {
                    Order::Newest => record.seq < cursor,
                    Order::Oldest => record.seq > cursor,
                })
        };
        let mut found: Vec<_> = state.events.keys().map(|seq| state.record(*seq)).filter(wanted).collect();
        if query.order == Order::Newest {
            found.reverse();
        }
        Ok(page(found, query.limit))
    }

    async fn event(&self, id: &str) -> Result<Vec<EventRecord>, StoreError> {
        let state = self.state();
        let same = state.events.iter().filter(|(_, (new, ..))| new.event.id == id);
        Ok(same.map(|(seq, _)| state.record(*seq)).collect())
    }

    async fn data(&self, seq: EventSeq) -> Result<Option<Bytes>, StoreError> {
        Ok(self.state().events.get(&seq).map(|(new, ..)| new.data.clone()))
    }
}
