//! Makes a decision durable.

use super::batch::Batch;
use super::job::Write;
use super::lease::LeaseGuard;
use super::row::{clamp, exact};
use crate::store::{Commit, CommitOutcome, EventSeq, LeasedDelivery, StoreError};
use anglerfish_core::event::Event;
use bytes::Bytes;
use rusqlite::params;
use std::collections::HashMap;
use std::sync::Arc;

/// A decision, made ready by the caller's thread so that the writer's does little.
#[derive(Debug)]
pub(super) struct Decision {
    /// Keys that must have these values.
    checks: Vec<(String, Option<Bytes>)>,
    /// Keys that must not exist yet, to be written: the check and the write are one.
    fresh: Vec<(String, Bytes)>,
    /// Keys to be written or deleted whatever they are.
    puts: Vec<(String, Option<Bytes>)>,
    event: Option<Accepted>,
    now: i64,
}

#[derive(Debug)]
struct Accepted {
    event: Event,
    data: Bytes,
    received: i64,
    request: String,
    keys: Option<String>,
    subscriptions: Vec<String>,
}

impl Decision {
    /// Sorts the keys and writes the JSON.
    pub(super) fn prepare(commit: Commit) -> Result<Self, StoreError> {
        let Commit { keys, event, now } = commit;
        let json = |error: serde_json::Error| StoreError::Internal(format!("failed to write JSON: {error}"));
        let mut writes: HashMap<String, Option<Bytes>> = keys.writes.into_iter().collect();
        let written: Vec<&String> =
            writes.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key).collect();
        let event = match event {
            None => None,
            Some(new) => Some(Accepted {
                request: serde_json::to_string(&new.request).map_err(json)?,
                keys: match written.is_empty() {
                    true => None,
                    false => Some(serde_json::to_string(&written).map_err(json)?),
                },
                event: new.event,
                data: new.data,
                received: clamp(new.received),
                subscriptions: new.subscriptions,
            }),
        };
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
        Ok(Self { checks, fresh, puts: writes.into_iter().collect(), event, now: clamp(now) })
    }

    /// What the caller of the commit gets.
    pub(super) fn outcome(self: Arc<Self>, applied: Applied) -> CommitOutcome {
        let (seq, guard) = match applied {
            Applied::Conflict => return CommitOutcome::Conflict,
            Applied::Committed(None) => {
                return CommitOutcome::Committed { seq: None, deliveries: Vec::new() };
            }
            Applied::Committed(Some((seq, guard))) => (seq, guard),
        };
        let deliveries = match &self.event {
            None => Vec::new(),
            Some(accepted) => guard
                .keep()
                .into_iter()
                .zip(&accepted.subscriptions)
                .map(|(id, subscription)| LeasedDelivery {
                    id,
                    subscription: subscription.clone(),
                    seq,
                    event: accepted.event.clone(),
                    data: accepted.data.clone(),
                    attempts: 0,
                })
                .collect(),
        };
        CommitOutcome::Committed { seq: Some(seq), deliveries }
    }
}

/// How it went.
#[derive(Debug)]
pub(super) enum Applied {
    Committed(Option<(EventSeq, LeaseGuard)>),
    Conflict,
}

/// The writer's part.
#[derive(Debug)]
pub(super) struct CommitDecision(pub(super) Arc<Decision>);

impl Write for CommitDecision {
    type Out = Applied;

    fn apply(&mut self, batch: &mut Batch<'_, '_>) -> rusqlite::Result<Applied> {
        let decision = &*self.0;
        for (key, seen) in &decision.checks {
            if !batch.key_is(key, seen.as_deref())? {
                return Ok(Applied::Conflict);
            }
        }
        let seq = match &decision.event {
            None => None,
            Some(accepted) => match insert_event(batch, accepted)? {
                None => return Ok(Applied::Conflict),
                seq => seq,
            },
        };
        if !insert_fresh(batch, decision, seq)? {
            return Ok(Applied::Conflict);
        }
        for (key, value) in &decision.puts {
            match value {
                Some(value) => batch.statements.put_key.execute(params![
                    key,
                    &**value,
                    decision.now,
                    seq.map(|seq| seq.0)
                ])?,
                None => batch.statements.delete_key.execute([key])?,
            };
        }
        let (Some(accepted), Some(seq)) = (&decision.event, seq) else { return Ok(Applied::Committed(None)) };
        let deliveries = batch.insert_deliveries(seq, &accepted.subscriptions, decision.now)?;
        Ok(Applied::Committed(Some((seq, batch.lease(deliveries)))))
    }

    fn weight(&self) -> usize {
        self.0.event.as_ref().map_or(0, |accepted| accepted.data.len() + accepted.request.len())
    }
}

/// Inserts an event; `None` if its source has one with the same id.
fn insert_event(batch: &mut Batch<'_, '_>, accepted: &Accepted) -> rusqlite::Result<Option<EventSeq>> {
    let seq = batch.next_event();
    let Accepted { event, data, received, request, keys, .. } = accepted;
    let inserted = batch.statements.insert_event.execute(params![
        seq.0,
        event.id,
        event.source,
        event.kind,
        event.subject,
        exact(event.time),
        event.datacontenttype,
        received,
        request,
        keys,
        &**data,
    ])?;
    if inserted == 0 {
        return Ok(None);
    }
    batch.use_event();
    Ok(Some(seq))
}

/// Inserts keys that must be new. If one is not, takes out what this decision has written and says `false`.
fn insert_fresh(
    batch: &mut Batch<'_, '_>,
    decision: &Decision,
    seq: Option<EventSeq>,
) -> rusqlite::Result<bool> {
    let position = seq.map(|seq| seq.0);
    for (count, (key, value)) in decision.fresh.iter().enumerate() {
        let row = params![key, &**value, decision.now, position];
        if batch.statements.insert_key.execute(row)? == 1 {
            continue;
        }
        for (key, _) in decision.fresh.iter().take(count) {
            batch.statements.delete_key.execute([key])?;
        }
        if position.is_some() {
            batch.connection.execute("DELETE FROM events WHERE seq = ?1", [position])?;
            batch.return_event();
        }
        return Ok(false);
    }
    Ok(true)
}
