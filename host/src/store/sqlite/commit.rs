//! Makes decisions durable.

use super::batch::{Batch, Made, Making};
use super::call::{self, PreparedCall};
use super::callback;
use super::details::Details;
use super::job::Write;
use super::lease::LeaseGuard;
use super::row::{clamp, exact};
use crate::store::{
    CallbackWrite, Commit, CommitOutcome, DeliveryId, EventSeq, LeaseTerms, LeasedDelivery, Repetition,
    StoreError, StoredApi,
};
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::is_lasting;
use bytes::Bytes;
use rusqlite::params;
use std::collections::HashMap;
use std::sync::Arc;

/// A commit, made ready by the caller's thread so that the writer's does little.
#[derive(Debug)]
pub(super) struct PreparedCommit {
    /// Keys that must have these values.
    checks: Vec<(String, Option<Bytes>)>,
    /// Keys that must not exist yet, to be written: the check and the write are one.
    fresh: Vec<(String, Bytes)>,
    /// Keys to be written or deleted whatever they are.
    puts: Vec<(String, Option<Bytes>)>,
    events: Vec<Accepted>,
    repetitions: Vec<Repetition>,
    calls: Vec<PreparedCall>,
    callbacks: Vec<CallbackWrite>,
    apis: Vec<StoredApi>,
    lease: Option<LeaseTerms>,
    created: UnixMillis,
    now: i64,
}

#[derive(Debug)]
struct Accepted {
    event: Event,
    data: Bytes,
    headers: Arc<[(String, String)]>,
    received: i64,
    details: String,
    keys: Option<String>,
    failed: Vec<String>,
    subscriptions: Vec<String>,
    /// Those of them that ask for an order, each with its key.
    ordering: Vec<(String, String)>,
}

impl PreparedCommit {
    /// Sorts the keys and writes the JSON.
    pub(super) fn prepare(commit: Commit) -> Result<Self, StoreError> {
        let Commit { keys, events, repetitions, calls, callbacks, apis, lease, now } = commit;
        let calls = calls.into_iter().map(PreparedCall::prepare).collect::<Result<Vec<_>, _>>()?;
        let json = |error: serde_json::Error| StoreError::Internal(format!("failed to write JSON: {error}"));
        let mut writes: HashMap<String, Option<Bytes>> = keys.writes.into_iter().collect();
        let written: Vec<&String> = writes
            .iter()
            .filter(|(key, value)| value.is_some() && !is_lasting(key))
            .map(|(key, _)| key)
            .collect();
        // The keys go with the first event: its row lists them.
        let mut list = match written.is_empty() {
            true => None,
            false => Some(serde_json::to_string(&written).map_err(json)?),
        };
        let mut accepted = Vec::with_capacity(events.len());
        for (index, new) in events.into_iter().enumerate() {
            accepted.push(Accepted {
                details: serde_json::to_string(&Details::of(&new, index)).map_err(json)?,
                keys: list.take(),
                headers: new.request.map(|request| request.headers).unwrap_or_default().into(),
                failed: new.failures.into_iter().map(|failure| failure.subscription).collect(),
                event: new.event,
                data: new.data,
                received: clamp(new.received),
                subscriptions: new.subscriptions,
                ordering: new.ordering,
            });
        }
        let (mut checks, mut fresh) = (Vec::new(), Vec::new());
        for (key, seen) in keys.reads {
            match writes.remove(&key) {
                Some(Some(value)) if seen.is_none() => fresh.push((key, value)),
                Some(write) => {
                    writes.insert(key.clone(), write);
                    checks.push((key, seen));
                }
                None => checks.push((key, seen)),
            }
        }
        // A key that was read twice is in both lists; reading it as absent once is enough to write it as new.
        checks.retain(|(key, seen)| seen.is_some() || !fresh.iter().any(|(new, _)| new == key));
        let puts = writes.into_iter().collect();
        let (created, now) = (now, clamp(now));
        Ok(Self {
            checks,
            fresh,
            puts,
            events: accepted,
            repetitions,
            calls,
            callbacks,
            apis,
            lease,
            created,
            now,
        })
    }

    /// What the caller of the commit gets.
    pub(super) fn outcome(self: Arc<Self>, applied: Applied) -> CommitOutcome {
        let Applied::Committed { seqs, leased, parked, freed } = applied else {
            return CommitOutcome::Conflict;
        };
        let mut deliveries = Vec::new();
        let until = self.lease.as_ref().map(|terms| terms.until).unwrap_or_default();
        for ((accepted, seq), leased) in self.events.iter().zip(&seqs).zip(leased) {
            let Some((guard, made)) = leased else { continue };
            for (lease, (id, subscription)) in guard.keep().into_iter().zip(made) {
                deliveries.push(LeasedDelivery {
                    id,
                    token: lease.token,
                    until,
                    subscription: subscription.to_string(),
                    seq: *seq,
                    event: accepted.event.clone(),
                    data: accepted.data.clone(),
                    headers: Arc::clone(&accepted.headers),
                    attempts: 0,
                    created: self.created,
                    interrupted: false,
                    outlived: false,
                });
            }
        }
        CommitOutcome::Committed { seqs, deliveries, parked, freed }
    }
}

/// New deliveries, each with its subscription.
type MadeDeliveries = Vec<(DeliveryId, Arc<str>)>;

/// How it went.
#[derive(Debug)]
pub(super) enum Applied {
    Committed {
        seqs: Vec<EventSeq>,
        /// The new deliveries of each event, if they are leased.
        leased: Vec<Option<(LeaseGuard, MadeDeliveries)>>,
        /// How many others wait for an earlier one of their lane.
        parked: usize,
        /// Of which subscriptions some no longer do.
        freed: Vec<String>,
    },
    Conflict,
}

/// The writer's part.
#[derive(Debug)]
pub(super) struct ApplyCommit(pub(super) Arc<PreparedCommit>);

impl Write for ApplyCommit {
    type Out = Applied;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Applied> {
        let decision = &*self.0;
        for (key, seen) in &decision.checks {
            if !batch.key_is(key, seen.as_deref())? {
                return Ok(Applied::Conflict);
            }
        }
        for write in &decision.callbacks {
            if !callback::fits(batch.connection, write, decision.created)? {
                return Ok(Applied::Conflict);
            }
        }
        for call in &decision.calls {
            if !call.fits(batch.connection)? {
                return Ok(Applied::Conflict);
            }
        }
        let mut seqs = Vec::with_capacity(decision.events.len());
        for accepted in &decision.events {
            match insert_event(batch, accepted)? {
                Some(seq) => seqs.push(seq),
                None => {
                    take_out(batch, &seqs)?;
                    return Ok(Applied::Conflict);
                }
            }
        }
        let first = seqs.first().copied();
        if !insert_fresh(batch, decision, first)? {
            take_out(batch, &seqs)?;
            return Ok(Applied::Conflict);
        }
        for (key, value) in &decision.puts {
            match value {
                Some(value) => {
                    let (written, seq) = kept(key, decision.now, first);
                    batch.statements.put_key.execute(params![key, &**value, written, seq])?
                }
                None => batch.statements.delete_key.execute([key])?,
            };
        }
        for call in &decision.calls {
            call.write(batch, &seqs)?;
        }
        for (write, seq) in decision.callbacks.iter().zip(&seqs) {
            callback::write(batch, write, *seq, decision.now)?;
        }
        for api in &decision.apis {
            call::put_api(batch.connection, api)?;
        }
        for repetition in &decision.repetitions {
            super::repetition::count(batch, repetition)?;
        }
        let (mut leased, mut parked) = (Vec::with_capacity(seqs.len()), 0);
        for (accepted, seq) in decision.events.iter().zip(&seqs) {
            insert_failed(batch, *seq, &accepted.failed)?;
            let making = Making::New(&accepted.ordering);
            let made = batch.insert_deliveries(*seq, &accepted.subscriptions, decision.now, making)?;
            parked += made.iter().filter(|made| made.is_parked).count();
            let due = made.into_iter().filter(|made| !made.is_parked);
            let made: MadeDeliveries = due.map(|Made { id, subscription, .. }| (id, subscription)).collect();
            leased.push(decision.lease.as_ref().map(|terms| (batch.lease(made.clone(), terms), made)));
        }
        Ok(Applied::Committed { seqs, leased, parked, freed: std::mem::take(&mut batch.freed) })
    }

    fn weight(&self) -> usize {
        let events = self.0.events.iter().map(|accepted| accepted.data.len() + accepted.details.len());
        events.chain(self.0.calls.iter().map(PreparedCall::weight)).sum()
    }
}

/// When a key was written, and the event that it goes with: one that lasts is written at the end of time, and goes with none.
fn kept(key: &str, now: i64, event: Option<EventSeq>) -> (i64, Option<i64>) {
    if is_lasting(key) { (i64::MAX, None) } else { (now, event.map(|seq| seq.0)) }
}

/// Inserts an event; `None` if its source has one with the same id.
fn insert_event(batch: &mut Batch<'_, '_>, accepted: &Accepted) -> rusqlite::Result<Option<EventSeq>> {
    let seq = batch.next_event();
    let Accepted { event, data, received, details, keys, .. } = accepted;
    let inserted = batch.statements.insert_event.execute(params![
        seq.0,
        event.id,
        event.source,
        event.kind,
        event.subject,
        exact(event.time),
        event.datacontenttype,
        received,
        details,
        keys,
        &**data,
    ])?;
    if inserted == 0 {
        return Ok(None);
    }
    batch.use_event(*received);
    Ok(Some(seq))
}

/// Takes events out again that this commit has inserted. Nothing refers to them yet.
fn take_out(batch: &mut Batch<'_, '_>, seqs: &[EventSeq]) -> rusqlite::Result<()> {
    for seq in seqs {
        batch.connection.execute("DELETE FROM events WHERE seq = ?1", [seq.0])?;
    }
    batch.return_events(seqs.len());
    Ok(())
}

/// Inserts keys that must be new. If one is not, takes out those that this commit has inserted and says `false`.
fn insert_fresh(
    batch: &mut Batch<'_, '_>,
    decision: &PreparedCommit,
    seq: Option<EventSeq>,
) -> rusqlite::Result<bool> {
    for (count, (key, value)) in decision.fresh.iter().enumerate() {
        let (written, seq) = kept(key, decision.now, seq);
        if batch.statements.insert_key.execute(params![key, &**value, written, seq])? == 1 {
            continue;
        }
        for (key, _) in decision.fresh.iter().take(count) {
            batch.statements.delete_key.execute([key])?;
        }
        return Ok(false);
    }
    Ok(true)
}

fn insert_failed(batch: &Batch<'_, '_>, seq: EventSeq, subscriptions: &[String]) -> rusqlite::Result<()> {
    if subscriptions.is_empty() {
        return Ok(());
    }
    let mut insert = batch
        .connection
        .prepare_cached("INSERT OR IGNORE INTO failed_filters (subscription, seq) VALUES (?1, ?2)")?;
    for subscription in subscriptions {
        insert.execute(params![subscription, seq.0])?;
    }
    Ok(())
}
