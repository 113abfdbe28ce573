//! Writes what happens to requests: entries of the log, the state of the request, and the deliveries of both, in one
//! transaction.

use super::{CallError, CallMetrics, entry};
use crate::clock::WallClock;
use crate::ingress::Outlet;
use crate::store::{
    CallAnswer, CallWrite, Commit, CommitOutcome, EventSeq, FailedFilter, NewEvent, Owner, Store, StoredApi,
    StoredCall,
};
use crate::subscription::{PastEvent, Subscriptions};
use anglerfish_core::call::{CallHistory, CallRecord, CallState, Effect};
use anglerfish_core::request::UnixMillis;
use std::sync::Arc;

/// Writes what happens to requests.
pub(super) struct Ledger {
    pub(super) store: Arc<dyn Store>,
    pub(super) subscriptions: Subscriptions,
    pub(super) outlet: Arc<dyn Outlet>,
    pub(super) metrics: CallMetrics,
    pub(super) clock: WallClock,
}

/// What is to become of a request.
pub(super) struct Change {
    /// How it was seen.
    pub(super) call: StoredCall,
    /// What happened, in order.
    pub(super) records: Vec<CallRecord>,
    /// The answer that came with it.
    pub(super) answer: Option<CallAnswer>,
    /// Who makes the attempts that are under way then, and until when nobody else does.
    pub(super) holder: Option<(Owner, UnixMillis)>,
    /// Another policy from now on.
    pub(super) policy: Option<String>,
}

impl Change {
    pub(super) fn new(call: StoredCall, records: Vec<CallRecord>) -> Self {
        Self { call, records, answer: None, holder: None, policy: None }
    }
}

/// What has happened to a request.
pub(super) fn history(call: &StoredCall) -> Result<CallHistory, CallError> {
    let read = CallHistory::read(call.head.records.clone());
    read.map_err(|error| CallError::Unreadable(call.head.id.clone(), error.to_string()))
}

impl Ledger {
    /// Writes a new request that has not ended, with all that has happened to it. `None` if another one has its key.
    pub(super) async fn insert(&self, mut call: StoredCall) -> Result<Option<StoredCall>, CallError> {
        let records = call.head.records.iter().enumerate();
        let events =
            records.map(|(index, record)| entry::of_record(&call, index, record, call.head.state)).collect();
        let write = CallWrite { call: call.clone(), expected: None };
        let Some(seqs) = self.commit(events, vec![write], Vec::new()).await? else { return Ok(None) };
        (call.head.seq, call.head.revision) = (seqs.first().copied().unwrap_or_default(), 1);
        call.head.entries = seqs;
        for record in &call.head.records {
            self.metrics.record(&call.head.api, record);
        }
        Ok(Some(call))
    }

    /// Writes what happened to a request, and returns how it stands then. `None` if something else happened since it was
    /// seen: nothing was written. What is of no effect any more is not written either.
    pub(super) async fn write(&self, change: Change) -> Result<Option<StoredCall>, CallError> {
        let Change { mut call, records, answer, holder, policy } = change;
        let mut history = history(&call)?;
        let before = call.head.records.len();
        let plan = history.due();
        let mut states = Vec::new();
        for record in records {
            let unreadable =
                |error: &dyn ToString| CallError::Unreadable(call.head.id.clone(), error.to_string());
            match history.take(record) {
                Ok(Effect::Taken) => states.push(history.state()),
                Ok(Effect::Ignored) => {}
                Err(error) => return Err(unreadable(&error)),
            }
        }
        if history.records().len() == before {
            return Ok(Some(call));
        }
        call.head.records = history.records().to_vec();
        call.head.state = history.state();
        let is_open = call.head.state == CallState::Pending;
        let at = call.head.records.last().map(|record| UnixMillis(record.at));
        let planned = at.unwrap_or_default();
        let (owner, due, planned) = match holder {
            Some((owner, until)) => (Some(owner), Some(until), planned),
            // The attempts that are under way go on with whoever has them, and so does whoever waits for an answer after its time,
            // if nothing is due before.
            None if history.due().is_none()
                && (history.pending().next().is_some() || history.awaited().next().is_some()) =>
            {
                (call.head.owner.clone(), call.head.due, call.head.planned)
            }
            // What was planned stays as it was planned since: the clock may have been put back.
            None if history.due() == plan => (None, call.head.due, call.head.planned),
            None => (None, history.due(), planned),
        };
        call.head.owner = owner.filter(|_| is_open);
        (call.head.due, call.head.planned) = (due.filter(|_| is_open), planned);
        call.head.ended = if is_open { None } else { at };
        call.answer = answer.or(call.answer);
        if let Some(policy) = policy {
            call.head.policy = policy;
        }
        let new = call.head.records.iter().enumerate().skip(before).zip(states);
        let events: Vec<NewEvent> =
            new.map(|((index, record), state)| entry::of_record(&call, index, record, state)).collect();
        let expected = Some(call.head.revision);
        let write = CallWrite { call: call.clone(), expected };
        let Some(seqs) = self.commit(events, vec![write], Vec::new()).await? else { return Ok(None) };
        call.head.revision += 1;
        call.head.entries.extend(seqs);
        for record in call.head.records.iter().skip(before) {
            self.metrics.record(&call.head.api, record);
        }
        Ok(Some(call))
    }

    /// Has a request wait until this time, whatever was planned. Whether it is: not if something happened to it since it was
    /// seen. That is no event: what happened to it stays as it was.
    pub(super) async fn wait_until(
        &self,
        mut call: StoredCall,
        due: UnixMillis,
        now: UnixMillis,
    ) -> Result<bool, CallError> {
        (call.head.due, call.head.planned) = (Some(due), now);
        let expected = Some(call.head.revision);
        Ok(self.commit(Vec::new(), vec![CallWrite { call, expected }], Vec::new()).await?.is_some())
    }

    /// Writes what is known of an API, with the entry that tells of it.
    pub(super) async fn put_api(&self, api: StoredApi, entry: NewEvent) -> Result<(), CallError> {
        self.commit(vec![entry], Vec::new(), vec![api]).await.map(drop)
    }

    async fn commit(
        &self,
        mut events: Vec<NewEvent>,
        calls: Vec<CallWrite>,
        apis: Vec<StoredApi>,
    ) -> Result<Option<Vec<EventSeq>>, CallError> {
        if self.subscriptions.want_operational() {
            for event in &mut events {
                self.route(event).await?;
            }
        }
        let commit = Commit { events, calls, apis, ..Commit::new(self.clock.now()) };
        match self.store.commit(commit).await? {
            CommitOutcome::Conflict => Ok(None),
            CommitOutcome::Committed { seqs, deliveries, freed, .. } => {
                self.outlet.take(deliveries, &freed);
                Ok(Some(seqs))
            }
        }
    }

    /// Finds out who wants to know of it, of those that ask for what the gateway tells of itself.
    async fn route(&self, event: &mut NewEvent) -> Result<(), CallError> {
        let past = PastEvent {
            event: event.event.clone(),
            headers: Vec::new(),
            data: event.data.clone(),
            received: event.received,
        };
        let routed = self.subscriptions.routing().route(past).await?;
        let wants = |id: &str| self.subscriptions.wants_operational(id);
        let intents = routed.intents.into_iter().filter(|intent| wants(&intent.subscription)).collect();
        for intent in self.outlet.to_deliver(intents) {
            event.ordering.extend(intent.ordering_key.map(|key| (intent.subscription.clone(), key)));
            event.subscriptions.push(intent.subscription);
        }
        let failures = routed.failures.into_iter().filter(|failure| wants(&failure.subscription));
        event.failures.extend(
            failures
                .map(|failure| FailedFilter { subscription: failure.subscription, reason: failure.reason }),
        );
        Ok(())
    }
}
