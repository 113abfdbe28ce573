//! What is made durable in one transaction.

use super::{
    CallWrite, CallbackWrite, EventSeq, FailedFilter, LeaseTerms, LeasedDelivery, Origin, RequestRecord,
    StoredApi,
};
use anglerfish_core::decision::Intent;
use anglerfish_core::event::Event;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;

/// What a decision read and wrote through its key-value interface.
#[derive(Debug, Clone, Default)]
pub struct KeyOverlay {
    /// Keys read from the store, with the values that the decision saw.
    pub reads: Vec<(String, Option<Bytes>)>,
    /// Keys written (`Some`) or deleted (`None`), the last write of each.
    pub writes: Vec<(String, Option<Bytes>)>,
}

/// What caused an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// This entry.
    Entry(EventSeq),
    /// The first one of the same commit, whose position nobody knows yet.
    First,
}

/// An entry to append to the log.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its attributes.
    pub event: Event,
    /// Where it comes from.
    pub origin: Origin,
    /// The entry that caused it.
    pub cause: Option<Cause>,
    /// The request that carried it, if one did.
    pub request: Option<RequestRecord>,
    /// Which of the source's secrets verified it: its label or its position.
    pub secret: Option<String>,
    /// Filters that failed on it.
    pub failures: Vec<FailedFilter>,
    /// Its data, byte for byte.
    pub data: Bytes,
    /// When it was received.
    pub received: UnixMillis,
    /// The subscriptions that want it.
    pub subscriptions: Vec<String>,
    /// Those of them that ask for an order, each with its key: deliveries of one subscription and key are made one after
    /// another.
    pub ordering: Vec<(String, String)>,
}

impl NewEvent {
    /// An event for nobody yet, that no request carried.
    #[must_use]
    pub fn new(event: Event, data: Bytes, received: UnixMillis) -> Self {
        Self {
            event,
            origin: Origin::Request,
            cause: None,
            request: None,
            secret: None,
            failures: Vec::new(),
            data,
            received,
            subscriptions: Vec::new(),
            ordering: Vec::new(),
        }
    }

    /// The same for those that want it.
    #[must_use]
    pub fn wanted(mut self, intents: impl IntoIterator<Item = Intent>) -> Self {
        for Intent { subscription, ordering_key, .. } in intents {
            self.ordering.extend(ordering_key.map(|key| (subscription.clone(), key)));
            self.subscriptions.push(subscription);
        }
        self
    }
}

/// An event that came again, and is not an event of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repetition {
    /// The source of the event in the log.
    pub source: String,
    /// Its id.
    pub id: String,
    /// When it came again.
    pub received: UnixMillis,
}

/// What is made durable in one transaction.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The keys that the decision read and wrote. They belong to the first of the events and expire with it.
    pub keys: KeyOverlay,
    /// The entries to append, in this order.
    pub events: Vec<NewEvent>,
    /// Events that came again: each is counted if it is still in the log.
    pub repetitions: Vec<Repetition>,
    /// Outgoing calls whose state the entries tell of.
    pub calls: Vec<CallWrite>,
    /// Callbacks that come in, one for each of the first entries: all of it is a conflict if an address is not open any more,
    /// or its inbox is full.
    pub callbacks: Vec<CallbackWrite>,
    /// APIs of which the entries tell.
    pub apis: Vec<StoredApi>,
    /// Who gets the new deliveries leased; `None` leaves them to whoever asks first.
    pub lease: Option<LeaseTerms>,
    /// When it was decided; keys expire by this time, and new deliveries are due at it.
    pub now: UnixMillis,
}

impl Commit {
    /// Nothing yet; the new deliveries come back leased for as long as the process runs, ahead of their attempts.
    #[must_use]
    pub fn new(now: UnixMillis) -> Self {
        Self {
            keys: KeyOverlay::default(),
            events: Vec::new(),
            repetitions: Vec::new(),
            calls: Vec::new(),
            callbacks: Vec::new(),
            apis: Vec::new(),
            lease: Some(LeaseTerms::ahead()),
            now,
        }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.keys.writes.is_empty()
            && self.repetitions.is_empty()
            && self.calls.is_empty()
            && self.apis.is_empty()
    }
}

/// What became of a commit.
#[derive(Debug, Clone)]
pub enum CommitOutcome {
    /// It is on disk.
    Committed {
        /// The entries' places in the log, in their order.
        seqs: Vec<EventSeq>,
        /// The new deliveries that are due, leased to the caller if it asked for that.
        deliveries: Vec<LeasedDelivery>,
        /// How many others wait for an earlier one of their ordering key.
        parked: usize,
        /// Subscriptions of which older deliveries became due: those that they waited for were dropped.
        freed: Vec<String>,
    },
    /// A key that the decision had read was changed by another one in the meantime, one of the events has a source and an id
    /// that are in the log, an outgoing call is not what it was taken for, or the address of a callback takes nothing any more;
    /// nothing was written.
    Conflict,
}
